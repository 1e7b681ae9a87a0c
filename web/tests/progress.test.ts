import { describe, expect, test } from 'vitest';

import type { Phase } from '../src/shared/api/objects';
import { downloaded, fraction, HighWater, stepOf } from '../src/owner/device/progress';
import { update } from './objects';

const ORDER: Phase[] = ['requested', 'notified', 'downloading', 'verifying', 'restarting', 'testing', 'confirmed'];

describe('fraction', () => {
  test('rises with every phase and ends at one', () => {
    const fractions = ORDER.map((phase) => fraction(update({ phase, done: 0 })));
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(new Set(fractions).size).toBe(ORDER.length);
    expect(fractions.at(-1)).toBe(1);
  });

  test('follows the bytes while downloading and stays below what comes after', () => {
    const at = (done: number) => fraction(update({ phase: 'downloading', done, total: 1_000 }));
    expect(at(500)).toBeGreaterThan(at(499));
    expect(at(1_000)).toBeLessThan(fraction(update({ phase: 'verifying' })));
    expect(at(5_000)).toBe(at(1_000));
  });

  test('a download of unknown size has not begun', () => {
    expect(downloaded(update({ phase: 'downloading', done: 10, total: 0 }))).toBe(0);
  });
});

describe('HighWater', () => {
  test('never falls back, whatever a device reports', () => {
    const water = new HighWater();
    const news = [
      update({ phase: 'downloading', done: 900 }),
      update({ phase: 'waiting', done: 900 }),
      update({ phase: 'downloading', done: 10, attempt: 2 }),
      update({ phase: 'verifying' }),
      update({ phase: 'downloading', done: 990, attempt: 3 }),
      update({ phase: 'testing' }),
    ].map((next) => water.note(next));
    for (const [index, reached] of news.entries()) {
      const before = news[index - 1];
      if (!before) continue;
      expect(reached.fraction).toBeGreaterThanOrEqual(before.fraction);
      expect(reached.downloaded).toBeGreaterThanOrEqual(before.downloaded);
      expect(reached.step).toBeGreaterThanOrEqual(before.step);
    }
  });

  test('a reload goes on from where it was', () => {
    const before = new HighWater();
    const mark = before.note(update({ phase: 'testing' }));
    const after = new HighWater(before.keep(['u1']));
    expect(after.note(update({ phase: 'downloading', done: 1, attempt: 2 }))).toEqual(mark);
  });

  test('another update begins at its own beginning', () => {
    const water = new HighWater();
    water.note(update({ phase: 'testing' }));
    expect(water.note(update({ id: 'u2', phase: 'notified' })).step).toBe(stepOf('notified'));
  });

  test('keeps the marks of open updates only', () => {
    const water = new HighWater();
    water.note(update({ phase: 'testing' }));
    expect(water.keep([])).toEqual({});
  });
});
