import { expect, test } from 'vitest';

import { at, placeOf, sectionOf } from '../../src/console/routes';

test.each([
  ['/console', { page: 'devices' }],
  ['/console/', { page: 'devices' }],
  ['/console/devices/clock-01', { page: 'device', thing: 'clock-01' }],
  ['/console/devices/a%2Fb%20c', { page: 'device', thing: 'a/b c' }],
  ['/console/devices/50%', { page: 'device', thing: '50%' }],
  ['/console/releases', { page: 'releases', product: undefined }],
  ['/console/releases/clock', { page: 'releases', product: 'clock' }],
  ['/console/products/clock', { page: 'product', product: 'clock' }],
  ['/console/people', { page: 'people' }],
  ['/console/authorities', { page: 'authorities' }],
  ['/console/authorities/1', { page: 'nowhere' }],
  ['/console/people/ada', { page: 'nowhere' }],
  ['/console/audit', { page: 'audit' }],
  ['/console/audit/1', { page: 'nowhere' }],
  ['/console/devices/a/b', { page: 'nowhere' }],
  ['/console/rollouts', { page: 'nowhere' }],
])('%s', (path, place) => {
  expect(placeOf(path)).toEqual(place);
});

test('an address leads back to what it was made of', () => {
  for (const thing of ['clock-01', 'a/b', 'ö ?#%']) expect(placeOf(at('devices', thing))).toEqual({ page: 'device', thing });
});

test('a page belongs to a section', () => {
  expect(sectionOf({ page: 'device', thing: 'x' })).toBe('devices');
  expect(sectionOf({ page: 'releases', product: 'x' })).toBe('releases');
  expect(sectionOf({ page: 'nowhere' })).toBeUndefined();
});
