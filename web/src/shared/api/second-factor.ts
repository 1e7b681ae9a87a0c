// What is asked beside the password.
import { request } from './request';

const PATH = '/app/second-factor';

export interface SecondFactor {
  set_up: boolean;
  /** The person's role needs one. */
  required: boolean;
  recovery_codes: number;
}

export interface NewSecondFactor {
  secret: string;
  url: string;
}

export interface RecoveryCodes {
  recovery_codes: string[];
}

/** One of the two, shown again before it is weakened. */
export type Proof = { code: string } | { password: string };

export const showSecondFactor = () => request<SecondFactor>('GET', PATH);

export const beginSecondFactor = (password: string) => request<NewSecondFactor>('POST', PATH, { password });

export const confirmSecondFactor = (code: string) => request<RecoveryCodes>('PUT', PATH, { code });

export const removeSecondFactor = (proof: Proof) => request('POST', `${PATH}/remove`, proof);

export const renewRecoveryCodes = (proof: Proof) => request<RecoveryCodes>('POST', `${PATH}/recovery-codes`, proof);
