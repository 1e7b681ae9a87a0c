import type { List } from '../../shared/api/objects';
import { request } from '../../shared/api/request';
import type { DeviceAuthority, ServerAuthority } from './objects';
import { path, query } from './path';

export const listAuthorities = (limit: number, cursor?: string) =>
  request<List<DeviceAuthority>>('GET', query(path('authorities'), { limit, cursor }));

export const removeAuthority = (fingerprint: string) => request('DELETE', path('authorities', fingerprint));

/** The server's own, oldest first: all of them in one answer. */
export const listServerAuthorities = async (): Promise<List<ServerAuthority>> => {
  const { items } = await request<{ items: ServerAuthority[] }>('GET', path('server-authorities'));
  return { items, next_cursor: null };
};

export const rotateServerAuthority = () => request<ServerAuthority>('POST', path('server-authorities'));

/** With `force` although devices or claim certificates end with it. */
export const retireServerAuthority = (fingerprint: string, force: boolean) =>
  request('DELETE', query(path('server-authorities', fingerprint), { force }));
