import type { Available, OwnDevice, Update } from '../../shared/api/objects';
import { isForMaker, kindOf, type ReasonKind } from './reason';

/** The one thing a device's page is about now. */
export type View =
  /** It has never said what it runs. */
  | { kind: 'unheard' }
  | { kind: 'current' }
  | { kind: 'offered'; available: Available; cancelled: boolean; refused: boolean }
  | { kind: 'deferred'; update: Update }
  /** Asked for, and the device does not know it yet. */
  | { kind: 'asked'; update: Update }
  | { kind: 'working'; update: Update; canCancel: boolean }
  | { kind: 'done'; update: Update }
  /** The old version runs on. */
  | { kind: 'kept'; update: Update; reason: ReasonKind; canRetry: boolean }
  | { kind: 'vanished'; update: Update; canRetry: boolean };

/** How long a finished update is what the page is about, unless it was put aside before. */
const NEWS_MS = 24 * 60 * 60 * 1_000;

/** What to show of a device at the time `now`; `seen` is the ended update that was put aside on this phone. */
export function viewOf(device: OwnDevice, now: number, seen?: string): View {
  const { update, available } = device;
  const ended = update?.outcome;
  if (update && !ended) return isAskedAgain(update) && available ? offerOf(available) : openView(update);
  if (update && ended === 'vanished') {
    return { kind: 'vanished', update, canRetry: available?.version === update.version };
  }
  if (update && update.id !== seen) {
    const offersAnother = available !== null && available.version !== update.version;
    if ((ended === 'failed' || ended === 'rolled_back') && !offersAnother) return keptView(update, available);
    const isNews = now - Date.parse(update.phase_at) < NEWS_MS;
    if (ended === 'confirmed' && isNews && !available && device.running?.version === update.version) {
      return { kind: 'done', update };
    }
  }
  if (available) {
    const cancelled = ended === 'cancelled' && update?.version === available.version;
    return offerOf(available, cancelled, cancelled && kindOf(update.reason?.name) === 'refused');
  }
  return device.running ? { kind: 'current' } : { kind: 'unheard' };
}

const offerOf = (available: Available, cancelled = false, refused = false): View => ({
  kind: 'offered',
  available,
  cancelled,
  refused,
});

/** The day it was put off for is over: it is undecided again. */
const isAskedAgain = ({ phase, when, until }: Update): boolean => phase === 'deferred' && when === 'later' && !until;

function openView(update: Update): View {
  if (update.phase === 'deferred') return { kind: 'deferred', update };
  if (update.phase === 'requested') return { kind: 'asked', update };
  const past = update.phase === 'restarting' || update.phase === 'testing';
  return { kind: 'working', update, canCancel: !past && !update.cancel_requested };
}

function keptView(update: Update, available: Available | null): View {
  const reason = kindOf(update.reason?.name);
  return { kind: 'kept', update, reason, canRetry: available !== null && !isForMaker(reason) };
}

/** The later of two pieces of news about a device's newest update: they come late and out of order. */
export function newerUpdate(known: Update | null, heard: Update): Update {
  if (!known) return heard;
  if (known.id !== heard.id) return heard.requested_at >= known.requested_at ? heard : known;
  const order = [
    [known.phase_at, heard.phase_at],
    [known.attempt, heard.attempt],
    [known.done, heard.done],
  ] as const;
  for (const [before, after] of order) if (before !== after) return after > before ? heard : known;
  return heard;
}
