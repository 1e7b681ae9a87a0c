import type { Device } from '../api/objects';

export type Presence = 'all' | 'online' | 'offline';

export interface Filter {
  text: string;
  presence: Presence;
}

export const isEmpty = ({ text, presence }: Filter): boolean => text.trim() === '' && presence === 'all';

/** Whether a device has every word of the filter in its name, product or version, or is meant by its image. */
export function matches(device: Device, { text, presence }: Filter): boolean {
  if (presence !== 'all' && device.online !== (presence === 'online')) return false;
  const { running } = device;
  const all = [device.thing, device.product, running?.version, running?.state].join(' ').toLowerCase();
  const has = (word: string) => all.includes(word) || isHashOf(running?.sha256, word);
  return text.toLowerCase().split(/\s+/).every(has);
}

/** Enough of a SHA-256, from its beginning, to be meant: a few digits are in every one. */
const isHashOf = (sha256: string | null | undefined, word: string): boolean =>
  word.length >= 6 && sha256?.startsWith(word) === true;
