import { expect, test } from 'vitest';

import { NO_FILTER, nameOf, wantedOf } from '../../src/console/audit/filter';

test('nothing is asked for that nobody chose', () => {
  expect(Object.values(wantedOf(NO_FILTER)).filter((value) => value !== undefined)).toEqual([]);
  expect(wantedOf({ ...NO_FILTER, actor: '  ' }).actor).toBeUndefined();
});

test('days are whole ones of whoever looks, the last one included', () => {
  const { since, until } = wantedOf({ ...NO_FILTER, from: '2026-11-23', to: '2026-11-30', actor: ' ada@example.org ' });
  expect(new Date(since ?? '')).toEqual(new Date(2026, 10, 23));
  expect(new Date(until ?? '')).toEqual(new Date(2026, 11, 1));
  expect(wantedOf({ ...NO_FILTER, actor: ' ada@example.org ' }).actor).toBe('ada@example.org');
});

test('somebody is called by name, by id, or by what they are', () => {
  expect(nameOf({ kind: 'person', id: 'u1', name: 'ada@example.org' })).toBe('ada@example.org');
  expect(nameOf({ kind: 'token', id: 't1', name: null })).toBe('t1');
  expect(nameOf({ kind: 'server', id: null, name: null })).toBe('server');
});
