import { expect, test } from 'vitest';

import type { Device } from '../../src/console/api/objects';
import { isEmpty, matches } from '../../src/console/devices/filter';

const device: Device = {
  thing: 'clock-01',
  product: 'clock',
  online: true,
  last_seen_at: null,
  owner: null,
  running: { version: '1.0.4', sha256: 'ab12cd34ef', slot: 'ota_0', state: 'trial' },
};

test.each([
  ['', true],
  ['  ', true],
  ['CLOCK', true],
  ['01 1.0', true],
  ['trial', true],
  ['AB12CD', true],
  ['ab12', false],
  ['12cd34', false],
  ['clock-02', false],
  ['clock 2.0', false],
])('%j', (text, found) => {
  expect(matches(device, { text, presence: 'all' })).toBe(found);
});

test('the connection is one more condition', () => {
  expect(matches(device, { text: 'clock', presence: 'online' })).toBe(true);
  expect(matches(device, { text: 'clock', presence: 'offline' })).toBe(false);
  expect(matches({ ...device, running: null }, { text: '1.0', presence: 'all' })).toBe(false);
});

test('blanks are no filter', () => {
  expect(isEmpty({ text: ' ', presence: 'all' })).toBe(true);
  expect(isEmpty({ text: '', presence: 'online' })).toBe(false);
});
