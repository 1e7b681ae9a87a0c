import { describe, expect, test } from 'vitest';

import { ago, duration, moment, share, size } from '../src/shared/language/format';
import { bestLanguage } from '../src/shared/language/catalogue';
import { NOW } from './objects';

const MINUTE = 60_000;

describe('ago', () => {
  test.each([
    [20_000, '20 seconds ago'],
    [-5_000, '1 second ago'],
    [3 * MINUTE, '3 minutes ago'],
    [5 * 60 * MINUTE, '5 hours ago'],
    [30 * 60 * MINUTE, 'yesterday'],
  ])('%i ms', (passed, expected) => {
    expect(ago(NOW - passed, NOW, 'en')).toBe(expected);
  });
});

test.each([
  [3, '5 seconds'],
  [42, '40 seconds'],
  [95, '2 minutes'],
  [5_000, '1 hour'],
])('a duration of %i s', (seconds, expected) => {
  expect(duration(seconds, 'en')).toBe(expected);
});

test('sizes are in the units of the language', () => {
  expect(size(1_500_000, 'de')).toBe('1,5 MB');
  expect(size(615_000, 'en')).toBe('615 kB');
});

test('a small part is not nothing', () => {
  expect([0.6432, 0.0512, 0.00071, 0].map((part) => share(part, 'en'))).toEqual(['64%', '5.1%', '0.071%', '0%']);
  expect(share(0.051, 'de')).toMatch(/^5,1\s%$/);
});

describe('moment', () => {
  test('today is a time, in the zone of the device', () => {
    expect(moment(NOW, NOW, 'en', 'Asia/Tokyo')).toMatch(/^9:00\sPM$/);
  });

  test('another day is named', () => {
    expect(moment(NOW + 24 * 60 * MINUTE, NOW, 'en', 'UTC')).toMatch(/^Thursday.*12:00\sPM$/);
    expect(moment(NOW + 20 * 24 * 60 * MINUTE, NOW, 'de', 'UTC')).toMatch(/^15\. Dezember.*12:00$/);
  });
});

test('the first language that there are texts for', () => {
  expect(bestLanguage(['fr-FR', 'de-AT', 'en'])).toBe('de');
  expect(bestLanguage(['JA'])).toBe('ja');
  expect(bestLanguage(['fr'])).toBe('en');
  expect(bestLanguage([])).toBe('en');
});
