import type { Wanted } from '../api/devices';
import type { Device } from '../api/objects';
import { certificateEnd, SOON_DAYS } from '../certificate-end';

export type Presence = 'all' | 'online' | 'offline';

export interface Filter {
  /** A part of the name. */
  text: string;
  presence: Presence;
  /** All if empty, and so are versions. */
  product: string;
  version: string;
  /** Only with a certificate that ends soon, or has ended. */
  certificateEnds: boolean;
}

export const NO_FILTER: Filter = { text: '', presence: 'all', product: '', version: '', certificateEnds: false };

/** What to ask the API for. */
export function wantedOf({ text, presence, product, version, certificateEnds }: Filter): Wanted {
  return {
    text: text.trim() || undefined,
    online: presence === 'all' ? undefined : presence === 'online',
    product: product || undefined,
    version: version.trim() || undefined,
    certificate_ends_within_days: certificateEnds ? SOON_DAYS : undefined,
  };
}

export const isEmpty = (filter: Filter): boolean => Object.values(wantedOf(filter)).every((value) => value === undefined);

/** Whether the API would still give a device that has changed since. */
export function matches(device: Device, filter: Filter, now: number): boolean {
  const { text, online, product, version } = wantedOf(filter);
  return (
    device.thing.toLowerCase().includes(text?.toLowerCase() ?? '') &&
    (online ?? device.online) === device.online &&
    (product ?? device.product) === device.product &&
    (version === undefined || device.running?.version === version) &&
    (!filter.certificateEnds || (device.certificate !== null && certificateEnd(device.certificate.not_after, now) !== undefined))
  );
}
