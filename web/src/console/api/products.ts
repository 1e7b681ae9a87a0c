import type { List } from '../../shared/api/objects';
import { request } from '../../shared/api/request';
import type {
  BucketImage,
  Consent,
  Patch,
  Product,
  Release,
  RunningDevice,
} from './objects';
import { path, query } from './path';

export const listProducts = (limit: number, cursor?: string) =>
  request<List<Product>>('GET', query(path('products'), { limit, cursor }));

export const showProduct = (name: string) => request<Product>('GET', path('products', name));

export const setLimits = (name: string, limits: Record<string, number>) =>
  request<Product>('PATCH', path('products', name), { limits });

export const setConsent = (name: string, consent: Consent) =>
  request<unknown>('PUT', path('products', name, 'consent'), consent);

export const setApproval = (name: string, required: boolean) =>
  request<unknown>('PUT', path('products', name, 'approval'), { required });

export const setSchema = (name: string, settings: unknown) =>
  request<unknown>('PUT', path('products', name, 'settings'), { settings });

export const listReleases = (product: string, limit: number, cursor?: string) =>
  request<List<Release>>('GET', query(path('products', product, 'releases'), { limit, cursor }));

export const publishDraft = (product: string, version: string) =>
  request<Release>('POST', path('products', product, 'releases', version, 'publish'));

export const approveRelease = (product: string, version: string, comment: string) =>
  request<Release>('POST', path('products', product, 'releases', version, 'approve'), { comment });

export const rejectRelease = (product: string, version: string, comment: string) =>
  request<Release>('POST', path('products', product, 'releases', version, 'reject'), { comment });

export const yankRelease = (product: string, version: string, reason: string) =>
  request<Release>('POST', path('products', product, 'releases', version, 'yank'), { reason });

/** Deletes a draft, or the image of a withdrawn release that nobody uses. */
export const deleteRelease = (product: string, version: string) =>
  request('DELETE', path('products', product, 'releases', version));

export const listPatches = (product: string, version: string) =>
  request<List<Patch>>('GET', path('products', product, 'releases', version, 'patches'));

/** What was found in the bucket that the server watches, if it does. */
export const listBucketImages = (limit: number, cursor?: string) =>
  request<List<BucketImage>>('GET', query(path('bucket-watch'), { limit, cursor }));

/** Devices that run a release. */
export const listRunning = (product: string, version: string, limit: number) =>
  request<List<RunningDevice>>('GET', query(path('products', product, 'running'), { version, limit }));

export const nextSequence = async (product: string) =>
  (await request<{ next_sequence: number }>('GET', path('products', product, 'next-sequence'))).next_sequence;
