import { cancelUpdate, requestUpdate } from '../../shared/api/devices';
import type { OwnDevice, When } from '../../shared/api/objects';
import { home } from '../state/home.svelte';
import { setBrowserZone } from './zone';

/** The owner decides about a version. "Tonight" needs to know where the night is. */
export async function decide(device: OwnDevice, version: string, when: When): Promise<void> {
  if (when === 'tonight') home.put(await setBrowserZone(device));
  home.putUpdate(await requestUpdate(device.thing, version, when));
  await home.refresh();
}

export async function cancel(device: OwnDevice): Promise<void> {
  home.putUpdate(await cancelUpdate(device.thing));
  await home.refresh();
}
