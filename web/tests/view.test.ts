import { describe, expect, test } from 'vitest';

import type { Outcome, OwnDevice, Phase, Update } from '../src/shared/api/objects';
import { newerUpdate, viewOf } from '../src/owner/device/view';
import { available, device, NOW, update } from './objects';

const show = (change: Partial<OwnDevice>, seen?: string) => viewOf(device(change), NOW, seen);
const kind = (change: Partial<OwnDevice>, seen?: string) => show(change, seen).kind;

describe('what a device page is about', () => {
  test.each<[Phase, string]>([
    ['deferred', 'deferred'],
    ['requested', 'asked'],
    ['waiting', 'working'],
    ['notified', 'working'],
    ['downloading', 'working'],
    ['verifying', 'working'],
    ['restarting', 'working'],
    ['testing', 'working'],
  ])('an open update that is %s: %s', (phase, expected) => {
    expect(kind({ update: update({ phase }), available: available() })).toBe(expected);
  });

  test.each<[Phase, boolean]>([
    ['downloading', true],
    ['verifying', true],
    ['restarting', false],
    ['testing', false],
  ])('while %s, stopping it is possible: %s', (phase, canCancel) => {
    expect(show({ update: update({ phase }) })).toMatchObject({ kind: 'working', canCancel });
  });

  test('stopping is asked for once', () => {
    expect(show({ update: update({ cancel_requested: true }) })).toMatchObject({ canCancel: false });
  });

  test('nothing open: an offer, else that all is well, else that it never called', () => {
    expect(kind({ available: available() })).toBe('offered');
    expect(kind({})).toBe('current');
    expect(kind({ running: null })).toBe('unheard');
  });

  test.each<Outcome>(['failed', 'rolled_back'])('%s: the old one was kept, until it is put aside', (outcome) => {
    const ended = { update: update({ outcome, reason: { code: 33, name: 'self_test_failed' } }), available: available() };
    expect(show(ended)).toMatchObject({ kind: 'kept', reason: 'did_not_work', canRetry: true });
    expect(kind(ended, 'u1')).toBe('offered');
  });

  test('a newer version is offered rather than an old failure told', () => {
    const failed = update({ outcome: 'failed' });
    expect(kind({ update: failed, available: available({ version: '1.0.6' }) })).toBe('offered');
  });

  test('what only the maker can put right is not tried again', () => {
    const failed = update({ outcome: 'failed', reason: { code: 3, name: 'manifest_untrusted' } });
    expect(show({ update: failed, available: available() })).toMatchObject({ canRetry: false });
    expect(show({ update: update({ outcome: 'failed' }) })).toMatchObject({ kind: 'kept', canRetry: false });
  });

  test('done is news for a day', () => {
    const running = { version: '1.0.5', sha256: null, slot: null, state: 'confirmed' as const };
    const done = update({ phase: 'confirmed', outcome: 'confirmed' });
    expect(kind({ update: done, running })).toBe('done');
    expect(kind({ update: done, running }, 'u1')).toBe('current');
    expect(kind({ update: { ...done, phase_at: '2026-11-23T11:30:00.000Z' }, running })).toBe('current');
    expect(kind({ update: done, running, available: available({ version: '1.0.6' }) })).toBe('offered');
  });

  test('put off for a day, then asked again as if undecided', () => {
    const later = update({ phase: 'deferred', when: 'later', until: '2026-11-26T11:00:00.000Z' });
    expect(kind({ update: later, available: available() })).toBe('deferred');
    const asked = { update: { ...later, until: null }, available: available() };
    expect(show(asked)).toMatchObject({ kind: 'offered', cancelled: false });
    expect(kind({ ...asked, available: null })).toBe('deferred');
  });

  test('a stopped update is offered again and says so', () => {
    const stopped = { update: update({ outcome: 'cancelled' }), available: available() };
    expect(show(stopped)).toMatchObject({ kind: 'offered', cancelled: true, refused: false });
    const reason = { code: 53, name: 'refused_on_device' };
    const refused = { update: update({ outcome: 'cancelled', reason }), available: available() };
    expect(show(refused)).toMatchObject({ kind: 'offered', cancelled: true, refused: true });
  });

  test('silence is shown until the device is heard, whatever was put aside', () => {
    expect(kind({ update: update({ outcome: 'vanished' }), available: available() }, 'u1')).toBe('vanished');
  });
});

describe('newerUpdate', () => {
  const older = update({ phase_at: '2026-11-25T11:30:00.000Z', done: 500 });
  const cases: [string, Partial<Update>, boolean][] = [
    ['a later phase', { phase: 'verifying', phase_at: '2026-11-25T11:31:00.000Z' }, true],
    ['an earlier phase', { phase: 'notified', phase_at: '2026-11-25T11:29:00.000Z' }, false],
    ['more bytes', { done: 501 }, true],
    ['fewer bytes of the same attempt', { done: 10 }, false],
    ['a new attempt', { done: 10, attempt: 2 }, true],
    ['the wish to stop', { cancel_requested: true, done: 500 }, true],
    ['another, later update', { id: 'u2', requested_at: '2026-11-25T11:50:00.000Z' }, true],
    ['an update before it', { id: 'u0', requested_at: '2026-11-25T10:50:00.000Z' }, false],
  ];
  test.each(cases)('%s', (_name, change, taken) => {
    const heard = { ...older, ...change };
    expect(newerUpdate(older, heard)).toBe(taken ? heard : older);
  });
});
