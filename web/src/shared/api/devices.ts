// What an owner does with a device.
import type { Install, List, OwnDevice, Person, SettingValue, Share, Update, When } from './objects';
import { request } from './request';

const path = (thing: string) => `/app/devices/${encodeURIComponent(thing)}`;

export const listDevices = async () => (await request<List<OwnDevice>>('GET', '/app/devices')).items;

export const showDevice = (thing: string) => request<OwnDevice>('GET', path(thing));

export const claimDevice = (code: string) => request<OwnDevice>('POST', '/app/devices/claim', { code });

export const giveUpDevice = (thing: string) => request('DELETE', path(thing));

export const setDetails = (thing: string, details: { name?: string; time_zone?: string; install?: Install }) =>
  request<OwnDevice>('PUT', path(thing), details);

export const applySettings = (thing: string, settings: Record<string, SettingValue>) =>
  request<OwnDevice>('PUT', `${path(thing)}/settings`, settings);

export const requestUpdate = (thing: string, version: string, when: When) =>
  request<Update>('POST', `${path(thing)}/update`, { version, when });

export const cancelUpdate = (thing: string) => request<Update>('DELETE', `${path(thing)}/update`);

export const listUpdates = (thing: string, cursor?: string) =>
  request<List<Update>>('GET', `${path(thing)}/updates${cursor ? `?cursor=${encodeURIComponent(cursor)}` : ''}`);

export const shareDevice = (thing: string) => request<Share>('POST', `${path(thing)}/share`);

export const listPeople = async (thing: string) => (await request<List<Person>>('GET', `${path(thing)}/people`)).items;

export const removePerson = (thing: string, id: string) =>
  request('DELETE', `${path(thing)}/people/${encodeURIComponent(id)}`);
