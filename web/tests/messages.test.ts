import { readdirSync, readFileSync } from 'node:fs';

import { parse } from 'svelte/compiler';
import { describe, expect, test } from 'vitest';

import { fill, LANGUAGES, type Catalogue } from '../src/shared/language/catalogue';

const SOURCES = new URL('../src/', import.meta.url);
const FOLDERS = ['messages/', 'messages/console/'];
const read = (path: string) => readFileSync(new URL(path, SOURCES), 'utf8');
const catalogue = (folder: string, language: string): Catalogue => JSON.parse(read(`${folder}${language}.json`));
const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' });
const components = files.filter((file) => file.endsWith('.svelte'));
const code = files.filter((file) => /\.(svelte|ts)$/.test(file)).map(read).join('\n');

const forms = (message: Catalogue[string]) => (typeof message === 'string' ? [message] : Object.values(message));
const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort();

describe.each(FOLDERS)('%s', (folder) => {
  const english = catalogue(folder, 'en');

  test.each(LANGUAGES)('%s has every text, and no other', (language) => {
    expect(Object.keys(catalogue(folder, language))).toEqual(Object.keys(english));
  });

  test.each(LANGUAGES)('%s has words in every text, with the same placeholders', (language) => {
    for (const [key, message] of Object.entries(catalogue(folder, language))) {
      const expected = placeholders(forms(english[key] ?? '')[0] ?? '');
      for (const form of forms(message)) {
        expect(form.trim(), key).not.toBe('');
        expect(placeholders(form), key).toEqual(expected);
      }
    }
  });

  test('every text is used', () => {
    const isUsed = (key: string) => {
      // Keys that end in a word from the API are put together: `reason.${kind}`.
      const stems = [...key.matchAll(/[._]/g)].map(({ index }) => `${key.slice(0, index + 1)}\${`);
      return code.includes(`'${key}'`) || stems.some((stem) => code.includes(`\`${stem}`));
    };
    expect(Object.keys(english).filter((key) => !isUsed(key))).toEqual([]);
  });
});

/** Texts that stand in a component instead of a message file. */
function literalsIn(node: unknown, found: string[] = []): string[] {
  if (Array.isArray(node)) for (const each of node) literalsIn(each, found);
  else if (node && typeof node === 'object') {
    const { type, name, data, value } = node as { type?: string; name?: string; data?: string; value?: unknown };
    if (type === 'Text' && /\p{L}/u.test(data ?? '')) found.push((data ?? '').trim());
    if (type === 'Attribute') {
      const isSpoken = ['aria-label', 'title', 'placeholder', 'alt', 'label', 'help', 'legend', 'lead'].includes(name ?? '');
      return isSpoken ? literalsIn(value, found) : found;
    }
    // What a style or a class says is for the browser.
    if (type !== 'StyleDirective') for (const child of Object.values(node)) literalsIn(child, found);
  }
  return found;
}

test.each(components)('%s holds no literal text', (component) => {
  const { fragment } = parse(read(component), { modern: true });
  expect(literalsIn(fragment)).toEqual([]);
});

test('the search for literal text finds some', () => {
  const { fragment } = parse('<p class="a">Hello</p><img alt="there" />', { modern: true });
  expect(literalsIn(fragment)).toEqual(['Hello', 'there']);
});

describe('fill', () => {
  test('puts values in, numbers in the digits of the language', () => {
    expect(fill('{version} of {count}', 'de', { version: '1.0.5', count: 1_234 })).toBe('1.0.5 of 1.234');
  });

  test('picks the plural form', () => {
    const message = { one: '{count} device', other: '{count} devices' };
    expect(fill(message, 'en', { count: 1 })).toBe('1 device');
    expect(fill(message, 'en', { count: 2 })).toBe('2 devices');
    expect(fill({ other: '{count}台' }, 'ja', { count: 1 })).toBe('1台');
  });

  test('a value is never a template', () => {
    expect(fill('{name}', 'en', { name: '{version}', version: 'x' })).toBe('{version}');
  });
});
