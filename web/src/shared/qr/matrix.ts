import { codewords, versionFor } from './codewords';
import { penalty } from './penalty';

export type Matrix = boolean[][];

type Mask = (x: number, y: number) => boolean;

const MASKS: readonly Mask[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** A code of dark and light modules: a text as bytes, medium error correction, up to 213 bytes. */
export function qr(text: string): Matrix {
  const bytes = new TextEncoder().encode(text);
  const version = versionFor(bytes.length);
  const words = codewords(bytes, version);
  const drawn = MASKS.map((mask, number) => draw(version, words, mask, number));
  const best = drawn.reduce((one, other) => (penalty(other) < penalty(one) ? other : one));
  return best;
}

function draw(version: number, words: number[], mask: Mask, number: number): Matrix {
  const size = version * 4 + 17;
  const dark: Matrix = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const fixed: Matrix = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const set = (x: number, y: number, isDark: boolean) => {
    dark[y]![x] = isDark;
    fixed[y]![x] = true;
  };
  drawPatterns(version, size, set);
  drawFormat(size, number, set);
  if (version >= 7) drawVersion(version, size, set);
  drawWords(words, dark, fixed, mask);
  return dark;
}

type Set = (x: number, y: number, isDark: boolean) => void;

function drawPatterns(version: number, size: number, set: Set): void {
  for (let at = 0; at < size; at += 1) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) {
    square(x, y, 4, (distance, at, to) => {
      if (at >= 0 && at < size && to >= 0 && to < size) set(at, to, distance !== 2 && distance !== 4);
    });
  }
  const places = alignments(version, size);
  const last = places.length - 1;
  places.forEach((x, column) =>
    places.forEach((y, row) => {
      const atFinder = (column === 0 && row === 0) || (column === 0 && row === last) || (column === last && row === 0);
      if (!atFinder) square(x, y, 2, (distance, at, to) => set(at, to, distance !== 1));
    }),
  );
}

function square(x: number, y: number, reach: number, each: (distance: number, x: number, y: number) => void): void {
  for (let dy = -reach; dy <= reach; dy += 1) {
    for (let dx = -reach; dx <= reach; dx += 1) each(Math.max(Math.abs(dx), Math.abs(dy)), x + dx, y + dy);
  }
}

function alignments(version: number, size: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((size - 13) / (2 * count - 2)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, at) => size - 7 - (count - 2 - at) * step)];
}

/** Bits with the remainder of their division by `by`, which is `length` bits long. */
function withRemainder(value: number, by: number, length: number): number {
  let rest = value;
  for (let step = 0; step < length; step += 1) rest = (rest << 1) ^ ((rest >>> (length - 1)) * by);
  return (value << length) | rest;
}

function drawFormat(size: number, mask: number, set: Set): void {
  // Medium error correction is 0 in the two bits before the mask's.
  const bits = withRemainder(mask, 0x537, 10) ^ 0x5412;
  const bit = (at: number) => ((bits >>> at) & 1) === 1;
  for (let at = 0; at <= 5; at += 1) set(8, at, bit(at));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let at = 9; at < 15; at += 1) set(14 - at, 8, bit(at));
  for (let at = 0; at < 8; at += 1) set(size - 1 - at, 8, bit(at));
  for (let at = 8; at < 15; at += 1) set(8, size - 15 + at, bit(at));
  set(8, size - 8, true);
}

function drawVersion(version: number, size: number, set: Set): void {
  const bits = withRemainder(version, 0x1f25, 12);
  for (let at = 0; at < 18; at += 1) {
    const [long, short] = [size - 11 + (at % 3), Math.floor(at / 3)];
    set(long, short, ((bits >>> at) & 1) === 1);
    set(short, long, ((bits >>> at) & 1) === 1);
  }
}

/** Fills the free modules from the lower right corner, two columns at a time, up and down in turn. */
function drawWords(words: number[], dark: Matrix, fixed: Matrix, mask: Mask): void {
  const size = dark.length;
  let next = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    const upwards = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step += 1) {
      const y = upwards ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (fixed[y]![x]) continue;
        const bit = (((words[next >>> 3] ?? 0) >>> (7 - (next & 7))) & 1) === 1;
        dark[y]![x] = bit !== mask(x, y);
        next += 1;
      }
    }
  }
}
