import { expect, test } from 'vitest';

import type { Device } from '../../src/console/api/objects';
import { isEmpty, matches, NO_FILTER, wantedOf, type Filter } from '../../src/console/devices/filter';
import { NOW } from '../objects';

const device: Device = {
  thing: 'Clock-01',
  channel: 'stable',
  product: 'clock',
  online: true,
  last_seen_at: null,
  owner: null,
  running: { version: '1.0.4', sha256: 'ab12cd34ef', slot: 'ota_0', state: 'trial' },
  certificate: null,
  decommissioned_at: null,
  replaced_by: null,
};
const filter = (change: Partial<Filter>): Filter => ({ ...NO_FILTER, ...change });

test('what is not filtered by is not asked for', () => {
  expect(isEmpty(filter({ text: ' ', version: ' ' }))).toBe(true);
  expect(isEmpty(filter({ presence: 'online' }))).toBe(false);
  const wanted = { text: 'clock', online: false, product: undefined, version: '1.0.4', certificate_ends_within_days: undefined };
  expect(wantedOf(filter({ text: ' clock ', presence: 'offline', version: '1.0.4' }))).toEqual(wanted);
});

test.each<[Partial<Filter>, boolean]>([
  [{}, true],
  [{ text: 'k-0' }, true],
  [{ text: 'CLOCK' }, true],
  [{ text: 'clock-02' }, false],
  [{ presence: 'online' }, true],
  [{ presence: 'offline' }, false],
  [{ product: 'clock' }, true],
  [{ product: 'clo' }, false],
  [{ version: '1.0.4' }, true],
  [{ version: '1.0' }, false],
  [{ text: '01', presence: 'online', product: 'clock', version: '1.0.4' }, true],
])('a device that has changed is judged as the API does: %j', (change, found) => {
  expect(matches(device, filter(change), NOW)).toBe(found);
});

test('a device that never reported runs no version', () => {
  expect(matches({ ...device, running: null }, filter({ version: '1.0.4' }), NOW)).toBe(false);
  expect(matches({ ...device, running: null }, filter({}), NOW)).toBe(true);
});

test.each([
  [null, false],
  ['2026-12-25T12:00:00.000Z', true],
  ['2026-12-25T12:00:00.001Z', false],
  ['2026-11-25T12:00:00.000Z', true],
])('a device is found by the end of its certificate: %s', (notAfter, found) => {
  const certificate = notAfter === null ? null : { not_after: notAfter };
  const ending = filter({ certificateEnds: true });
  expect(matches({ ...device, certificate }, ending, NOW)).toBe(found);
  expect(wantedOf(ending).certificate_ends_within_days).toBe(30);
  expect(isEmpty(ending)).toBe(false);
});
