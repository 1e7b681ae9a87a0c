// What the app last knew, so that it opens without a network. Gone at sign-out.
import type { OwnDevice, User } from '../../shared/api/objects';
import type { Reached } from '../device/progress';

export interface Known {
  user: User;
  devices: OwnDevice[];
  /** When the server last said so. */
  at: number;
  progress: Record<string, Reached>;
  /** Per device, the ended update that was put aside on this phone. */
  seen: Record<string, string>;
}

// Raised with the layout: what another one wrote is not read.
const KEY = 'otaru.known.2';

export function readKnown(): Known | undefined {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === null ? undefined : (JSON.parse(kept) as Known);
  } catch {
    return undefined;
  }
}

export function writeKnown(known: Known): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(known));
  } catch {
    // A full or forbidden storage costs the offline view, nothing else.
  }
}

export function forgetKnown(): void {
  localStorage.removeItem(KEY);
}
