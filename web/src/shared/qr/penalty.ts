// How hard a code is to read: the mask with the least is taken.
import type { Matrix } from './matrix';

const RUN = 3;
const BLOCK = 3;
const FINDER = 40;
const BALANCE = 10;

export function penalty(rows: Matrix): number {
  const columns = rows.map((_, x) => rows.map((row) => row[x]!));
  const lines = [...rows, ...columns].reduce((sum, line) => sum + runs(line) + finders(line), 0);
  return lines + blocks(rows) + balance(rows);
}

function runs(line: boolean[]): number {
  let sum = 0;
  let length = 0;
  line.forEach((module, at) => {
    length = module === line[at - 1] ? length + 1 : 1;
    if (length === 5) sum += RUN;
    else if (length > 5) sum += 1;
  });
  return sum;
}

/** What looks like the pattern in the corners, with room on one side. */
function finders(line: boolean[]): number {
  const text = line.map(Number).join('');
  return ['10111010000', '00001011101'].reduce((sum, pattern) => {
    for (let at = text.indexOf(pattern); at !== -1; at = text.indexOf(pattern, at + 1)) sum += FINDER;
    return sum;
  }, 0);
}

function blocks(rows: Matrix): number {
  let count = 0;
  for (let y = 1; y < rows.length; y += 1) {
    for (let x = 1; x < rows.length; x += 1) {
      const module = rows[y]![x];
      if (module === rows[y]![x - 1] && module === rows[y - 1]![x] && module === rows[y - 1]![x - 1]) count += 1;
    }
  }
  return count * BLOCK;
}

function balance(rows: Matrix): number {
  const dark = rows.flat().filter(Boolean).length;
  const total = rows.length ** 2;
  return Math.max(0, Math.ceil(Math.abs(dark * 20 - total * 10) / total) - 1) * BALANCE;
}
