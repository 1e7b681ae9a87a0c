// Signing in by somebody else's word, and what follows from having an account.
import type { Identities, List, Provider } from './objects';
import { request } from './request';

interface Away {
  /** The provider's page. */
  url: string;
}

export const listProviders = async () => (await request<List<Provider>>('GET', '/app/providers')).items;

export const listIdentities = () => request<Identities>('GET', '/app/user/identities');

export const unlinkIdentity = (id: string) => request('DELETE', `/app/user/identities/${encodeURIComponent(id)}`);

const at = (provider: string, what: string) => `/app/providers/${encodeURIComponent(provider)}/${what}`;

/** The browser comes back to the page `return_to`, signed in. */
export const beginSignIn = (provider: string, return_to: string) =>
  request<Away>('POST', at(provider, 'sign-in'), { return_to });

export const beginLink = (provider: string, return_to: string) =>
  request<Away>('POST', '/app/user/identities', { provider, return_to });

/** The person proves anew who they are. */
export const beginConfirmation = (provider: string, return_to: string) =>
  request<Away>('POST', at(provider, 'confirm'), { return_to });

/** With a password, or shortly after a confirmation. */
export const deleteAccount = (password?: string) =>
  request('DELETE', '/app/user', password === undefined ? {} : { password });
