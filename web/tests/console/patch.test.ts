import { expect, test } from 'vitest';

import { patchOf } from '../../src/console/device/patch';

test.each([
  ['nothing changed', { a: 1, b: { c: [1, { d: 2 }] } }, { b: { c: [1, { d: 2 }] }, a: 1 }, {}],
  ['a value', { a: 1, b: 2 }, { a: 1, b: 3 }, { b: 3 }],
  ['a new member', {}, { a: { b: 1 } }, { a: { b: 1 } }],
  ['a deleted member', { a: 1, b: 2 }, { a: 1 }, { b: null }],
  ['deep inside', { a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 } }, { a: { c: 3 } }],
  ['deleted deep inside', { a: { b: 1, c: 2 } }, { a: { b: 1 } }, { a: { c: null } }],
  ['a list is one value', { a: [1, 2] }, { a: [1, 2, 3] }, { a: [1, 2, 3] }],
  ['an object becomes a value', { a: { b: 1 } }, { a: 1 }, { a: 1 }],
  ['a value becomes an object', { a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
  ['an emptied object', { a: { b: 1 } }, { a: {} }, { a: { b: null } }],
])('%s', (_, before, after, patch) => {
  expect(patchOf(before, after)).toEqual(patch);
});
