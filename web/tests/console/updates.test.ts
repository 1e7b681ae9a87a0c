import { describe, expect, test } from 'vitest';

import type { Step } from '../../src/console/api/objects';
import { withUpdate } from '../../src/console/updates/merge';
import { canCancel, progress, timesOf, track } from '../../src/console/updates/track';
import type { Outcome, Phase } from '../../src/shared/api/objects';
import { update } from '../objects';

const states = (change: Parameters<typeof update>[0]) => track(update(change)).map(({ state }) => state);

describe('track', () => {
  test('an open update stands at one station', () => {
    expect(states({ phase: 'downloading' })).toEqual(['passed', 'passed', 'now', 'ahead', 'ahead', 'ahead', 'ahead']);
    expect(states({ phase: 'deferred' })[0]).toBe('now');
    expect(states({ phase: 'waiting' })[1]).toBe('now');
  });

  test('one that ended stands where it ended', () => {
    expect(states({ phase: 'testing', outcome: 'rolled_back' }).slice(5)).toEqual(['ended', 'ahead']);
    expect(states({ phase: 'confirmed', outcome: 'confirmed' })).toEqual(Array(7).fill('passed'));
  });

  test('the bytes count only while they move', () => {
    expect(progress(update({ done: 250, total: 1_000 }))).toBe(0.25);
    expect(progress(update({ done: 250, total: 0 }))).toBeUndefined();
    expect(progress(update({ phase: 'testing', done: 250 }))).toBeUndefined();
    expect(progress(update({ outcome: 'failed', done: 250 }))).toBeUndefined();
  });

  test('from the restart on nothing can be stopped', () => {
    expect(canCancel(update())).toBe(true);
    expect(canCancel(update({ cancel_requested: true }))).toBe(false);
    expect(canCancel(update({ phase: 'restarting' }))).toBe(false);
    expect(canCancel(update({ outcome: 'failed' }))).toBe(false);
  });

  test('a station shows when the update first came to it', () => {
    const step = (phase: Phase, at: string, outcome: Outcome | null = null): Step => ({ phase, at, attempt: 1, outcome, reason: null });
    const begun = [step('deferred', 'A'), step('requested', 'B'), step('waiting', 'C'), step('downloading', 'D')];
    const again = [...begun, step('waiting', 'E'), step('downloading', 'F')];
    expect([...timesOf(again)]).toEqual([['requested', 'A'], ['notified', 'C'], ['downloading', 'D']]);
    expect([...timesOf([...begun, step('testing', 'G', 'vanished')])]).toEqual([...timesOf(begun)]);
    expect(timesOf([...begun, step('confirmed', 'H', 'confirmed')]).get('confirmed')).toBe('H');
  });
});

describe('withUpdate', () => {
  const old = update({ id: 'old', requested_at: '2026-11-01T00:00:00.000Z' });
  const last = update({ id: 'last', requested_at: '2026-11-20T00:00:00.000Z' });
  const ids = (...args: Parameters<typeof withUpdate>) => withUpdate(...args).map(({ id }) => id);

  test('a new one comes first', () => {
    expect(ids([], update())).toEqual(['u1']);
    expect(ids([last, old], update())).toEqual(['u1', 'last', 'old']);
  });

  test('a known one stays in its place', () => {
    const moved = { ...old, done: 10 };
    expect(withUpdate([last, old], moved)).toEqual([last, moved]);
  });

  test('one older than all that was read is left to the part it is in', () => {
    expect(ids([last, old], update({ id: 'older', requested_at: '2026-10-01T00:00:00.000Z' }))).toEqual(['last', 'old']);
  });

  test('a late byte tick opens nothing that ended', () => {
    const ended = { ...old, outcome: 'failed' as const };
    expect(withUpdate([ended], old)).toEqual([ended]);
    expect(withUpdate([ended], { ...old, outcome: 'confirmed' })[0]?.outcome).toBe('confirmed');
  });
});
