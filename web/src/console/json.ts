/** What a person wrote as JSON, or where it stops being that. */
export type Parsed = { value: unknown } | { line: number; column: number };

export function parse(text: string): Parsed {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    const before = text.slice(0, faultAt(text)).split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  }
}

export const written = (value: unknown): string => JSON.stringify(value, null, 2);

const BLANK = /[ \t\r\n]*/y;
const WORD = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;

/** Where the first character stands that JSON does not have there. Not every browser tells. */
function faultAt(text: string): number {
  let at = 0;

  const eat = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at += found[0].length;
    return found !== null;
  };
  const sign = (character: string): boolean => {
    eat(BLANK);
    if (text[at] !== character) return false;
    at += 1;
    return true;
  };
  const member = (): boolean => {
    eat(BLANK);
    return eat(TEXT) && sign(':') && value();
  };
  const list = (end: string, item: () => boolean): boolean => {
    if (sign(end)) return true;
    do if (!item()) return false;
    while (sign(','));
    return sign(end);
  };
  const value = (): boolean => {
    eat(BLANK);
    if (sign('{')) return list('}', member);
    if (sign('[')) return list(']', value);
    return eat(TEXT) || eat(WORD);
  };

  if (value()) eat(BLANK);
  return at;
}
