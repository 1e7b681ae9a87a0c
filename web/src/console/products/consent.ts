import type { Consent, ConsentMode, Product } from '../api/objects';

export const MODES: readonly ConsentMode[] = ['ask', 'deadline', 'night', 'forced'];

/** A product that says nothing asks. */
export const consentOf = ({ consent }: Product): Consent => consent ?? { mode: 'ask' };
