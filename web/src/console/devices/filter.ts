import type { Wanted } from '../api/devices';
import type { Device } from '../api/objects';

export type Presence = 'all' | 'online' | 'offline';

export interface Filter {
  /** A part of the name. */
  text: string;
  presence: Presence;
  /** All if empty, and so are versions. */
  product: string;
  version: string;
}

export const NO_FILTER: Filter = { text: '', presence: 'all', product: '', version: '' };

/** What to ask the API for. */
export function wantedOf({ text, presence, product, version }: Filter): Wanted {
  return {
    text: text.trim() || undefined,
    online: presence === 'all' ? undefined : presence === 'online',
    product: product || undefined,
    version: version.trim() || undefined,
  };
}

export const isEmpty = (filter: Filter): boolean => Object.values(wantedOf(filter)).every((value) => value === undefined);

/** Whether the API would still give a device that has changed since. */
export function matches(device: Device, filter: Filter): boolean {
  const { text, online, product, version } = wantedOf(filter);
  return (
    device.thing.toLowerCase().includes(text?.toLowerCase() ?? '') &&
    (online ?? device.online) === device.online &&
    (product ?? device.product) === device.product &&
    (version === undefined || device.running?.version === version)
  );
}
