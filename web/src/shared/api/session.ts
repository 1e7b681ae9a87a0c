// Who is asking: set-up, sign in and out, passwords, invitations.
import type { Language, List, OwnDevice, Session, SetUpState, User } from './objects';
import { request } from './request';

export const showSetUp = () => request<SetUpState>('GET', '/app/setup');

export const setUp = (code: string, email: string, password: string) =>
  request<User>('POST', '/app/setup', { code, email, password });

export const signIn = (email: string, password: string) =>
  request<User>('POST', '/app/session', { email, password });

/** The second step, for who has a second factor. */
export const signInWithCode = (challenge: string, code: string) =>
  request<User>('POST', '/app/session/second-factor', { challenge, code });

/** Where the browser signs out at the provider that signed it in, if that has a page for it. */
export const signOut = () => request<{ url: string } | undefined>('DELETE', '/app/session');

/** What lets the person in; the last used first. */
export const listSessions = async () => (await request<List<Session>>('GET', '/app/sessions')).items;

export const endSession = (id: string) => request('DELETE', `/app/sessions/${encodeURIComponent(id)}`);

export const endOtherSessions = () => request('DELETE', '/app/sessions');

export const showUser = () => request<User>('GET', '/app/user');

export const setLanguage = (language: Language | null) => request<User>('PUT', '/app/user', { language });

export const setPassword = (current: string, password: string) =>
  request('PUT', '/app/user/password', { current, password });

export const requestReset = (email: string) => request('POST', '/app/password-reset', { email });

export const resetPassword = (code: string, password: string) =>
  request<User>('PUT', '/app/password-reset', { code, password });

export const acceptInvitation = (code: string, password: string) =>
  request<User>('POST', '/app/invitation', { code, password });

export const signUp = (email: string, password: string, code: string) =>
  request<{ user: User; device: OwnDevice }>('POST', '/app/sign-up', { email, password, code });
