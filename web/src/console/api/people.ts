import type { List, Role, Session, User } from '../../shared/api/objects';
import { request } from '../../shared/api/request';
import type { SecondFactor } from '../../shared/api/second-factor';
import type { Invitation, Link, Token } from './objects';
import { path, query } from './path';

export const listUsers = (limit: number, cursor?: string) =>
  request<List<User>>('GET', query(path('users'), { limit, cursor }));

export const findUser = (id: string) => request<User>('GET', path('users', id));

export const setRole = (id: string, role: Role) => request<User>('PUT', path('users', id), { role });

export const removeUser = (id: string) => request('DELETE', path('users', id));

export const createResetLink = (id: string) => request<Link>('POST', path('users', id, 'reset-link'));

/** What lets a person in; the last used first. */
export const listUserSessions = async (id: string) =>
  (await request<List<Session>>('GET', path('users', id, 'sessions'))).items;

export const endUserSession = (id: string, session: string) => request('DELETE', path('users', id, 'sessions', session));

export const signOutUser = (id: string) => request('DELETE', path('users', id, 'sessions'));

export const showSecondFactorOf = (id: string) => request<SecondFactor>('GET', path('users', id, 'second-factor'));

export const resetSecondFactor = (id: string) => request('DELETE', path('users', id, 'second-factor'));

export const listInvitations = (limit: number, cursor?: string) =>
  request<List<Invitation>>('GET', query(path('invitations'), { limit, cursor }));

export const inviteUser = (email: string, role: Role) =>
  request<Invitation & Link>('POST', path('invitations'), { email, role });

export const revokeInvitation = (id: string) => request('DELETE', path('invitations', id));

export const listTokens = (limit: number, cursor?: string) =>
  request<List<Token>>('GET', query(path('tokens'), { limit, cursor }));

export interface NewToken {
  user?: string;
  role?: Role;
  expires_at?: string;
  label?: string;
}

export const createToken = (token: NewToken) => request<Token & { token: string }>('POST', path('tokens'), token);

export const revokeToken = (id: string) => request('DELETE', path('tokens', id));
