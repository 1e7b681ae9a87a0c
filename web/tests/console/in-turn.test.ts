import { expect, test } from 'vitest';

import { inTurn } from '../../src/console/in-turn';

test('work is never done twice at once, and once more for all who asked meanwhile', async () => {
  const ends: (() => void)[] = [];
  const ask = inTurn(() => new Promise((end) => ends.push(end)));
  ask();
  for (let time = 0; time < 5; time += 1) ask();
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await expect.poll(() => ends.length).toBe(2);
  ends[1]?.();
  await expect.poll(() => (ask(), ends.length)).toBe(3);
});
