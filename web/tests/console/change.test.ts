import { expect, test } from 'vitest';

import type { ShadowChange } from '../../src/console/api/objects';
import { changeOf, writerOf } from '../../src/console/device/change';

const entry = (change: ShadowChange['change']): ShadowChange => ({
  version: 7,
  at: '2026-11-25T12:00:00.000Z',
  by: { kind: 'device', id: null },
  deleted: change === null,
  change,
  size: 24,
});

test('a writer is named, and told from others of its kind', () => {
  expect(writerOf({ kind: 'device', id: null })).toEqual({ words: 'shadow.by.device', id: null });
  expect(writerOf({ kind: 'access_key', id: 'OTARUABC' })).toEqual({ words: 'shadow.by.access_key', id: 'OTARUABC' });
  expect(writerOf({ kind: 'operation', id: 'giving_up' })).toEqual({ words: 'shadow.by.giving_up', id: null });
});

test('what the server wrote for something unknown keeps its name', () => {
  expect(writerOf({ kind: 'operation', id: 'rollout' })).toEqual({ words: 'shadow.by.update', id: 'rollout' });
});

test('a change is one line, with what was removed', () => {
  expect(changeOf(entry({ desired: { lamp: null } }))).toBe('{"desired":{"lamp":null}}');
  expect(changeOf(entry(null))).toBe('');
});
