// An update as stations on a line. Pure.
import type { Phase, Update } from '../../shared/api/objects';
import type { Step } from '../api/objects';

/** Where every update passes. */
export const STATIONS = ['requested', 'notified', 'downloading', 'verifying', 'restarting', 'testing', 'confirmed'] as const;

export type Station = (typeof STATIONS)[number];
export type StationState = 'passed' | 'now' | 'ended' | 'ahead';

/** The station a phase stands at: those before a device is told are one, and so are those of a new try. */
const AT: Record<Phase, Station> = {
  offered: 'requested',
  deferred: 'requested',
  requested: 'requested',
  waiting: 'notified',
  notified: 'notified',
  downloading: 'downloading',
  verifying: 'verifying',
  restarting: 'restarting',
  testing: 'testing',
  confirmed: 'confirmed',
};

export function track(update: Update): { station: Station; state: StationState }[] {
  const isDone = update.outcome === 'confirmed';
  const here = isDone ? STATIONS.length - 1 : STATIONS.indexOf(AT[update.phase]);
  const now: StationState = isDone ? 'passed' : update.outcome === null ? 'now' : 'ended';
  return STATIONS.map((station, at) => ({ station, state: at < here ? 'passed' : at === here ? now : 'ahead' }));
}

export const isOpen = (update: Update): boolean => update.outcome === null;

/** From here on a device cannot be stopped. */
export const canCancel = (update: Update): boolean =>
  isOpen(update) && !update.cancel_requested && !['restarting', 'testing', 'confirmed'].includes(update.phase);

/** How much of the bytes is done, from 0 to 1; nothing where it means nothing. */
export function progress({ phase, done, total, outcome }: Update): number | undefined {
  const counts = outcome === null && (phase === 'downloading' || phase === 'verifying');
  return counts && total > 0 ? Math.min(1, done / total) : undefined;
}

/** When an update first came to each station. */
export function timesOf(history: readonly Step[]): ReadonlyMap<Station, string> {
  const times = new Map<Station, string>();
  for (const { phase, outcome, at } of history) {
    // Another end is no station: it is where the update was already.
    if (outcome !== null && outcome !== 'confirmed') continue;
    const station = outcome === null ? AT[phase] : 'confirmed';
    if (!times.has(station)) times.set(station, at);
  }
  return times;
}
