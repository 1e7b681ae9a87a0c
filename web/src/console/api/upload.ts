import { Problem, problemOf } from '../../shared/api/problem';
import type { Release, Texts } from './objects';
import { path } from './path';

export interface Upload {
  image: File;
  manifest: File;
  notes: Texts;
  channel: string;
}

/** Notes as a field of the form: the languages that have some. */
export function notesField(notes: Texts): string {
  return JSON.stringify(Object.fromEntries(Object.entries(notes).filter(([, text]) => text.trim() !== '')));
}

/**
 * Publishes a release. `sent` hears how much of the upload has left the browser, from 0 to 1; `fetch` does not tell.
 */
export function publishRelease(product: string, upload: Upload, sent: (part: number) => void, stop: AbortSignal): Promise<Release> {
  const form = new FormData();
  // The short fields first: a refusal of one need not wait for megabytes.
  form.append('manifest', upload.manifest);
  form.append('channel', upload.channel);
  form.append('notes_by_language', notesField(upload.notes));
  form.append('image', upload.image);

  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path('products', product, 'releases'));
    request.setRequestHeader('accept', 'application/json');
    request.upload.onprogress = ({ loaded, total }) => sent(total === 0 ? 0 : loaded / total);
    request.onload = () => {
      if (request.status === 200 || request.status === 201) resolve(JSON.parse(request.responseText) as Release);
      else void problemOf(new Response(request.responseText, { status: request.status })).then(reject);
    };
    request.onerror = () => reject(new Problem(0, 'no_connection', request.statusText));
    request.onabort = () => reject(new Problem(0, 'stopped', ''));
    stop.addEventListener('abort', () => request.abort());
    request.send(form);
  });
}
