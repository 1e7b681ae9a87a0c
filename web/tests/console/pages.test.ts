import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Pages } from '../../src/console/pages.svelte';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a list that changes while it is read is read again', async () => {
  const answers: ((items: string[]) => void)[] = [];
  const pages = new Pages<string>(
    () => new Promise((resolve) => answers.push((items) => resolve({ items, next_cursor: null }))),
  );
  void pages.anew();
  pages.change((items) => items);
  answers[0]?.(['from before']);
  await vi.advanceTimersByTimeAsync(1_000);
  answers[1]?.(['from after']);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(pages.items).toEqual(['from after']);
  expect(answers).toHaveLength(2);
});
