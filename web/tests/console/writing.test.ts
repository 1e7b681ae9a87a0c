import { describe, expect, test } from 'vitest';

import type { Release } from '../../src/console/api/objects';
import { notesField } from '../../src/console/api/upload';
import { lineOf, stamp } from '../../src/console/device/log';
import { distance } from '../../src/console/distance';
import { parse } from '../../src/console/json';
import { readLimit, writtenLimit } from '../../src/console/products/limits';
import { faultOf } from '../../src/console/products/schema';
import { notesIn } from '../../src/console/releases/notes';
import { NOW } from '../objects';

describe('limits', () => {
  test.each([
    [1_000, '1 s'],
    [90_000, '90 s'],
    [300_000, '5 min'],
    [86_400_000, '1 d'],
    [90_061_001, '90061001 ms'],
  ])('%i ms is written %s, and read again', (ms, text) => {
    expect(writtenLimit(ms)).toBe(text);
    expect(readLimit(text)).toBe(ms);
  });

  test('what is no length is none', () => {
    expect(readLimit('1.5h')).toBe(5_400_000);
    expect(readLimit('20')).toBe(20_000);
    for (const wrong of ['', 'soon', '-5 s', '5 weeks', '5 s 3']) expect(readLimit(wrong)).toBeUndefined();
  });
});

describe('notes', () => {
  test('a language without words is not sent', () => {
    expect(JSON.parse(notesField({ en: 'Quieter', ja: '静か', de: ' ' }))).toEqual({ en: 'Quieter', ja: '静か' });
    expect(notesField({ en: '' })).toBe('{}');
  });

  test('they are read in the language, else as the server chose', () => {
    const release = { notes: 'Quieter', notes_by_language: { en: 'Quieter', ja: '静か' } } as Release;
    expect(notesIn(release, 'ja')).toBe('静か');
    expect(notesIn(release, 'de')).toBe('Quieter');
  });
});

describe('schema', () => {
  const good = { name: 'a', type: 'integer', label: { en: 'A' }, default: 1, min: 0, max: 2, edit: 'owner' };
  const kind = (change: object) => faultOf([{ ...good, ...change }])?.kind;

  test('a good one has no fault', () => {
    expect(faultOf([])).toBeUndefined();
    expect(faultOf([good, { ...good, name: 'b' }])).toBeUndefined();
    expect(kind({ default: undefined, edit: undefined })).toBeUndefined();
    expect(kind({ type: 'choice', choices: [{ value: 'x' }] })).toBeUndefined();
  });

  test.each([
    [{ name: '' }, 'no_name'],
    [{ colour: 'red' }, 'unknown_member'],
    [{ type: 'colour' }, 'wrong_type'],
    [{ type: 'choice' }, 'no_choices'],
    [{ label: {} }, 'no_label'],
    [{ edit: 'me' }, 'wrong_edit'],
    [{ min: 3 }, 'wrong_range'],
  ])('%j', (change, expected) => {
    expect(kind(change)).toBe(expected);
  });

  test('the place is named', () => {
    expect(faultOf({})).toEqual({ kind: 'no_list' });
    expect(faultOf([good, 'x'])).toEqual({ kind: 'no_object', place: '#2' });
    expect(faultOf([good, good])).toEqual({ kind: 'name_twice', place: 'a', found: 'a' });
  });
});

describe('json', () => {
  test('what is JSON is read', () => {
    expect(parse(' {"a": [1.5e3, true, "\\u00e9"]} ')).toEqual({ value: { a: [1500, true, 'é'] } });
  });

  test.each([
    ['', 1, 1],
    ['{\n  "a": x\n}', 2, 8],
    ['{\n  "a": 1', 2, 9],
    ['{"a": 1,}', 1, 9],
    ['{"a" 1}', 1, 6],
    ["{'a': 1}", 1, 2],
    ['[1 2]', 1, 4],
    ['[1]]', 1, 4],
    ['{"a": "b}', 1, 7],
  ])('%j stops being JSON at %i:%i', (text, line, column) => {
    expect(parse(text)).toEqual({ line, column });
  });
});

describe('log', () => {
  const entry = (record: unknown) => lineOf({ id: 1, received_at: '2026-11-25T12:00:00.000Z', record });

  test('a record is a line', () => {
    const line = entry({ timestamp: NOW - 5, level: 'WARN', message: 'low', code: 'IO_FAILED', thingName: 'clock-01', freeHeap: 9, note: null });
    expect(line).toEqual({ id: 1, at: NOW - 5, level: 'WARN', code: 'IO_FAILED', message: 'low', rest: 'freeHeap=9' });
  });

  test('whatever a device writes is a line', () => {
    expect(entry('text')).toMatchObject({ message: '"text"', level: 'INFO', at: NOW });
    expect(entry({ level: 'LOUD', message: 3 })).toMatchObject({ message: '3', level: 'INFO', at: NOW });
    expect(entry({ timestamp: 1_000, message: 'no clock yet' }).at).toBe(NOW);
  });

  test('stamps have one width', () => {
    expect(stamp(NOW)).toMatch(/^\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/);
  });
});

test('distances go both ways', () => {
  expect(distance(NOW - 60_000, NOW, 'en')).toBe('1 minute ago');
  expect(distance(NOW + 5_000, NOW, 'en')).toBe('1 second ago');
  expect(distance(NOW + 600_000, NOW, 'en')).toBe('in 10 minutes');
  expect(distance(NOW + 7 * 86_400_000, NOW, 'de')).toBe('in 7 Tagen');
  expect(distance(NOW + 400 * 86_400_000, NOW, 'en')).toBe('in 400 days');
  expect(distance(NOW + 25 * 365 * 86_400_000 - 1, NOW, 'en')).toBe('in 24 years');
});
