import type { Phase, Update } from '../../shared/api/objects';

/** The steps an owner watches: one lantern each. */
export const STEPS = ['prepare', 'download', 'check', 'restart', 'test'] as const;
export type Step = (typeof STEPS)[number];

// Where a phase begins on the whole way, by what it usually takes. Only a phase that happened moves the light.
const BEGINS: Record<Phase, number> = {
  offered: 0,
  deferred: 0,
  requested: 0,
  waiting: 0,
  notified: 0.02,
  downloading: 0.05,
  verifying: 0.8,
  restarting: 0.87,
  testing: 0.94,
  confirmed: 1,
};
const DOWNLOAD_ENDS = 0.78;

/** How much of the download is on the device, by the bytes it has read back. */
export function downloaded({ phase, done, total }: Update): number {
  if (phase === 'downloading') return total > 0 ? Math.min(1, done / total) : 0;
  return BEGINS[phase] > BEGINS.downloading ? 1 : 0;
}

/** How far the whole update is, 0 to 1: a function of what the device reported, never of time. */
export function fraction(update: Update): number {
  const begins = BEGINS[update.phase];
  if (update.phase !== 'downloading') return begins;
  return begins + (DOWNLOAD_ENDS - begins) * downloaded(update);
}

/** The step that is under way, as an index into `STEPS`; `STEPS.length` when all are done. */
export function stepOf(phase: Phase): number {
  switch (phase) {
    case 'downloading':
      return 1;
    case 'verifying':
      return 2;
    case 'restarting':
      return 3;
    case 'testing':
      return 4;
    case 'confirmed':
      return STEPS.length;
    default:
      return 0;
  }
}

export interface Reached {
  fraction: number;
  downloaded: number;
  step: number;
}

const reached = (update: Update): Reached => ({
  fraction: fraction(update),
  downloaded: downloaded(update),
  step: stepOf(update.phase),
});

/**
 * The furthest each update has come: what is shown never falls back, although a device that begins the
 * download anew does.
 */
export class HighWater {
  readonly #marks: Map<string, Reached>;

  constructor(kept: Record<string, Reached> = {}) {
    this.#marks = new Map(Object.entries(kept));
  }

  /** The furthest this update has come, this news included. */
  note(update: Update): Reached {
    const now = reached(update);
    const mark = this.#marks.get(update.id);
    const furthest = mark
      ? {
          fraction: Math.max(mark.fraction, now.fraction),
          downloaded: Math.max(mark.downloaded, now.downloaded),
          step: Math.max(mark.step, now.step),
        }
      : now;
    this.#marks.set(update.id, furthest);
    return furthest;
  }

  /** What a reload must not lose: the marks of these updates only. */
  keep(ids: readonly string[]): Record<string, Reached> {
    for (const id of this.#marks.keys()) if (!ids.includes(id)) this.#marks.delete(id);
    return Object.fromEntries(this.#marks);
  }
}
