import { expect, test } from 'vitest';

import { AUTHORITY_SOON_DAYS, certificateEnd } from '../../src/console/certificate-end';
import { NOW } from '../objects';

const DAY = 24 * 3_600_000;

test.each([
  [-9_000 * DAY, 'ended'],
  [0, 'ended'],
  [1, 'soon'],
  [30 * DAY, 'soon'],
  [30 * DAY + 1, undefined],
  [9_000 * DAY, undefined],
])('a certificate with %i ms left is marked: %s', (left, mark) => {
  expect(certificateEnd(new Date(NOW + left).toISOString(), NOW)).toBe(mark);
});

test('an authority is marked a year before its end', () => {
  const at = (left: number) => new Date(NOW + left).toISOString();
  expect(certificateEnd(at(365 * DAY), NOW, AUTHORITY_SOON_DAYS)).toBe('soon');
  expect(certificateEnd(at(366 * DAY), NOW, AUTHORITY_SOON_DAYS)).toBeUndefined();
});
