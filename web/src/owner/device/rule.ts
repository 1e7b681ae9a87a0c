import type { Install, OwnDevice } from '../../shared/api/objects';

/** What the maker decided about new versions; nothing while it is the owner's to say. */
export function makersRule({ consent }: OwnDevice): 'night' | 'always' | undefined {
  if (consent.mode === 'forced') return 'always';
  return consent.mode === 'night' ? 'night' : undefined;
}

/** What happens with a new version, whoever decided it. */
export const installRule = (device: OwnDevice): Install => makersRule(device) ?? device.install;
