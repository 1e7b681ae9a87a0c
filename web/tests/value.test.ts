import { expect, test } from 'vitest';

import type { Setting, SettingValue } from '../src/shared/api/objects';
import { parseSetting, shownValue } from '../src/owner/settings/value';

const setting = (change: Partial<Setting>): Setting => ({
  name: 'brightness',
  type: 'integer',
  label: 'Brightness',
  help: null,
  choices: [],
  min: null,
  max: null,
  max_length: null,
  default: null,
  editable: true,
  value: 10,
  wished: 20,
  state: 'waiting',
  ...change,
});

test.each<[Setting['type'], string, SettingValue | undefined]>([
  ['integer', '42', 42],
  ['integer', '4.5', undefined],
  ['integer', '', undefined],
  ['number', '4,5', 4.5],
  ['number', 'much', undefined],
  ['text', ' as it is ', ' as it is '],
])('%s %j', (type, text, expected) => {
  expect(parseSetting(setting({ type }), text)).toBe(expected);
});

test('a wish is shown while it waits, then what the device has', () => {
  expect(shownValue(setting({}))).toBe(20);
  expect(shownValue(setting({ state: 'applied' }))).toBe(10);
  expect(shownValue(setting({ state: 'unset', value: null, wished: null }))).toBeNull();
});
