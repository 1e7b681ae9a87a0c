import type { Language } from '../api/objects';

/** A text, or one text per plural form of `count`. */
export type Message = string | Partial<Record<Intl.LDMLPluralRule, string>>;
export type Catalogue = Record<string, Message>;
export type Values = Record<string, string | number>;

export const LANGUAGES: readonly Language[] = ['en', 'ja', 'de'];

/** The best language for what a person or browser prefers, in their order. */
export function bestLanguage(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    const found = LANGUAGES.find((language) => tag.toLowerCase().split('-')[0] === language);
    if (found) return found;
  }
  return 'en';
}

const isolated = (text: string) => `\u2068${text}\u2069`;

/** Fills a message's `{placeholders}`; `count` picks the plural form and is written in the language's digits. */
export function fill(message: Message, language: string, values: Values = {}): string {
  const form = typeof message === 'string' ? message : plural(message, language, Number(values.count));
  return form.replace(/\{(\w+)\}/g, (placeholder, name: string) => {
    const value = values[name];
    if (value === undefined) return placeholder;
    if (typeof value === 'number') return new Intl.NumberFormat(language).format(value);
    // What people and devices are called may run from right to left.
    return /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/.test(value) ? isolated(value) : value;
  });
}

function plural(forms: Exclude<Message, string>, language: string, count: number): string {
  return forms[new Intl.PluralRules(language).select(count)] ?? forms.other ?? '';
}
