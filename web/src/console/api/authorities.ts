import type { List } from '../../shared/api/objects';
import { request } from '../../shared/api/request';
import type { DeviceAuthority } from './objects';
import { path, query } from './path';

export const listAuthorities = (limit: number, cursor?: string) =>
  request<List<DeviceAuthority>>('GET', query(path('authorities'), { limit, cursor }));

export const removeAuthority = (fingerprint: string) => request('DELETE', path('authorities', fingerprint));
