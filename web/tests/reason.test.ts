import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { KINDS, kindOf, KNOWN_NAMES } from '../src/owner/device/reason';
import en from '../src/messages/en.json';

const declared = readFileSync(new URL('../../contract/wire/src/reason.rs', import.meta.url), 'utf8');
const names = [...declared.matchAll(/^\s*\d+ \w+ "(\w+)" (?:again|never),$/gm)].map(([, name]) => name ?? '');

test('every reason of the fleet has words for owners', () => {
  expect(names.length).toBeGreaterThan(40);
  expect(names.filter((name) => !KNOWN_NAMES.includes(name) && name !== 'unknown')).toEqual([]);
});

test('no reason is known that the fleet has not', () => {
  expect(KNOWN_NAMES.filter((name) => !names.includes(name))).toEqual([]);
});

test('every kind says what happened and what to do', () => {
  for (const kind of KINDS) {
    expect(en).toHaveProperty([`reason.${kind}`]);
    expect(en).toHaveProperty([`remedy.${kind}`]);
  }
});

test('a reason of a newer server is an unknown one', () => {
  expect(kindOf('struck_by_lightning')).toBe('unknown');
  expect(kindOf(undefined)).toBe('unknown');
});
