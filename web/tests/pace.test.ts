import { expect, test } from 'vitest';

import { Pace } from '../src/owner/device/pace';

/** A device that sends a message a second, with so many bytes each. */
function run(seconds: number, bytesPerSecond: number): Pace {
  const pace = new Pace();
  for (let second = 0; second <= seconds; second += 1) pace.heard('u1', 1, second * bytesPerSecond, second * 1_000);
  return pace;
}

test('the time left follows from the bytes that came', () => {
  expect(run(10, 50_000).secondsLeft(1_000_000, 10_000)).toBeCloseTo(10);
});

test('a link that got slower is believed after half a minute', () => {
  const pace = run(10, 100_000);
  for (let second = 11; second <= 60; second += 1) pace.heard('u1', 1, 1_000_000 + (second - 10) * 1_000, second * 1_000);
  expect(pace.secondsLeft(1_110_000, 60_000)).toBeCloseTo(60);
});

test('nothing is said from one message, in the first moment, or when no bytes come', () => {
  expect(run(0, 1_000).secondsLeft(10_000, 0)).toBeUndefined();
  expect(run(1, 1_000).secondsLeft(10_000, 1_000)).toBeUndefined();
  expect(run(10, 1_000).secondsLeft(20_000, 10_000)).toBeDefined();
  expect(run(10, 1_000).secondsLeft(20_000, 26_000)).toBeUndefined();
});

test('a download that begins anew has a pace of its own', () => {
  const pace = run(10, 1_000);
  pace.heard('u1', 2, 0, 11_000);
  expect(pace.secondsLeft(20_000, 11_000)).toBeUndefined();
});

test('a repeated message is no byte', () => {
  const pace = run(10, 1_000);
  pace.heard('u1', 1, 10_000, 20_000);
  expect(pace.secondsLeft(20_000, 26_000)).toBeUndefined();
});
