import { setDetails } from '../../shared/api/devices';
import type { OwnDevice } from '../../shared/api/objects';

export const browserZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zone "tonight" is in, if this browser knows it. */
export function knownZone(zone: string | null): string | undefined {
  if (!zone) return undefined;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** A device without a time zone gets the one of the person who holds it; without it, night is somewhere else. */
export async function setBrowserZone(device: OwnDevice): Promise<OwnDevice> {
  if (device.time_zone) return device;
  return setDetails(device.thing, { time_zone: browserZone() }).catch(() => device);
}

export const allZones = (): string[] => Intl.supportedValuesOf('timeZone');
