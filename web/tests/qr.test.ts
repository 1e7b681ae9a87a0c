import { expect, test } from 'vitest';

import { qr } from '../src/shared/qr/matrix';

// Codes of every length up to the longest were read by another program; this is one of them.
const READABLE = `
#######.##.##.#######
#.....#..#..#.#.....#
#.###.#..##...#.###.#
#.###.#.####..#.###.#
#.###.#.#.#.#.#.###.#
#.....#.#..#..#.....#
#######.#.#.#.#######
........##.##........
#...#.###.##.#####..#
####.#..#.###..#.##.#
#..##.##...#..####.#.
..####..##...##.#..##
.###..#.....###...#..
........###.###...###
#######.#.#.##.....#.
#.....#....##..#...#.
#.###.#.#.##..#####.#
#.###.#..#.##.....###
#.###.#..###..#####..
#.....#..##..##.#....
#######.#.#.####.##.#
`;

test('a code is the one that was read', () => {
  expect(qr('OTARU').map((row) => row.map((dark) => (dark ? '#' : '.')).join('')).join('\n')).toBe(READABLE.trim());
});

test.each([
  [14, 21],
  [15, 25],
  [62, 33],
  [63, 37],
  [213, 57],
])('%i bytes take %i modules', (bytes, side) => {
  expect(qr('a'.repeat(bytes))).toHaveLength(side);
});

test('more than a phone reads is refused', () => {
  expect(() => qr('a'.repeat(214))).toThrow(RangeError);
});
