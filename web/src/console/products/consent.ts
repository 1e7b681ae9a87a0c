import type { Consent, ConsentMode, Product } from '../api/objects';

export const MODES: readonly ConsentMode[] = ['ask', 'deadline', 'night', 'forced'];

/** The modes in which somebody is asked. */
export const asks = (mode: ConsentMode): boolean => mode === 'ask' || mode === 'deadline';

/** A product that says nothing asks. */
export const consentOf = ({ consent }: Product): Consent => consent ?? { mode: 'ask' };
