import type { Available, OwnDevice, Update } from '../src/shared/api/objects';

export const NOW = Date.parse('2026-11-25T12:00:00.000Z');

export const update = (change: Partial<Update> = {}): Update => ({
  id: 'u1',
  thing: 'clock-01',
  product: 'clock',
  version: '1.0.5',
  from: '1.0.4',
  phase: 'downloading',
  outcome: null,
  reason: null,
  done: 0,
  total: 1_000,
  attempt: 1,
  cancel_requested: false,
  when: null,
  until: null,
  requested_at: '2026-11-25T11:00:00.000Z',
  phase_at: '2026-11-25T11:30:00.000Z',
  decided_by: null,
  downgrade: false,
  ...change,
});

export const available = (change: Partial<Available> = {}): Available => ({
  version: '1.0.5',
  notes: 'Quieter at night',
  size: 1_500_000,
  published_at: '2026-11-25T10:00:00.000Z',
  expected_s: 90,
  decision: 'ask',
  deadline_at: null,
  safety_reason: null,
  failed_before: false,
  ...change,
});

export const device = (change: Partial<OwnDevice> = {}): OwnDevice => ({
  thing: 'clock-01',
  product: 'clock',
  online: true,
  last_seen_at: null,
  owner: 'p1',
  running: { version: '1.0.4', sha256: null, slot: null, state: 'confirmed' },
  name: null,
  time_zone: null,
  access: 'owner',
  install: 'ask',
  consent: { mode: 'ask' },
  settings: null,
  available: null,
  update: null,
  ...change,
});
