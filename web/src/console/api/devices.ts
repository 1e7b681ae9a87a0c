import type { List, Update, When } from '../../shared/api/objects';
import { request } from '../../shared/api/request';
import type { ClaimCode, Device, JsonObject, LogEntry, Shadow, ShadowChange, TracedUpdate, Waiting } from './objects';
import { path, query } from './path';

/** Which devices are wanted; what is undefined is not asked for. */
export interface Wanted {
  text?: string | undefined;
  online?: boolean | undefined;
  product?: string | undefined;
  version?: string | undefined;
  certificate_ends_within_days?: number | undefined;
}

export const listDevices = (wanted: Wanted, limit: number, cursor?: string) =>
  request<List<Device>>('GET', query(path('devices'), { ...wanted, limit, cursor }));

export const showDevice = (thing: string) => request<Device>('GET', path('devices', thing));

export const listUpdates = (limit: number, cursor?: string, thing?: string) =>
  request<List<Update>>('GET', query(path('updates'), { thing, limit, cursor }));

/** An update with the phases it went through. */
export const traceUpdate = (thing: string, id: string) =>
  request<TracedUpdate>('GET', path('devices', thing, 'updates', id));

export const requestUpdate = (thing: string, version: string, when: When) =>
  request<Update>('POST', path('devices', thing, 'update'), { version, when });

export const cancelUpdate = (thing: string) => request<Update>('DELETE', path('devices', thing, 'update'));

export const createClaimCode = (thing: string) => request<ClaimCode>('POST', path('devices', thing, 'claim-code'));

/** Devices that wait for approval, the oldest first. */
export const listWaiting = (limit: number, cursor?: string) =>
  request<List<Waiting>>('GET', query(path('provisioning', 'queue'), { limit, cursor }));

export const approveWaiting = (id: string) => request<Device>('POST', path('provisioning', 'queue', id, 'approve'));

export const rejectWaiting = (id: string) => request<void>('POST', path('provisioning', 'queue', id, 'reject'));

export const decommissionDevice = (thing: string) => request<void>('POST', path('devices', thing, 'decommission'));

/** Puts another device in this one's place. */
export const replaceDevice = (thing: string, by: string) =>
  request<Device>('POST', path('devices', thing, 'replace'), { by });

/** The newest records; or those after one, the oldest first. */
export const listLogs = (thing: string, from: { tail: number } | { after: number }) =>
  request<List<LogEntry>>('GET', query(path('devices', thing, 'logs'), { limit: 200, ...from }));

const shadow = (thing: string) => `/things/${encodeURIComponent(thing)}/shadow`;

export const showShadow = (thing: string) => request<Shadow>('GET', shadow(thing));

/** The last versions of the classic shadow, newest first. */
export const listShadowHistory = (thing: string, limit: number, cursor?: string) =>
  request<List<ShadowChange>>('GET', query(path('devices', thing, 'shadow', 'history'), { limit, cursor }));

/** Changes what is desired, if nobody changed the shadow since `version`. */
export const desire = (thing: string, desired: JsonObject, version: number | undefined) =>
  request<unknown>('POST', shadow(thing), { state: { desired }, ...(version === undefined ? {} : { version }) });
