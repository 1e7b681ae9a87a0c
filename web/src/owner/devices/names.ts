import type { OwnDevice } from '../../shared/api/objects';

/** What a person calls the device, else what it is registered as. */
export const nameOf = (device: OwnDevice): string => device.name?.trim() || device.thing;
