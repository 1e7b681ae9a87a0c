import { Problem, problemOf } from '../../shared/api/problem';
import type { Release, Texts } from './objects';
import { path } from './path';
import { browserWire, sendFile, sha256Of } from './tus';

export interface Upload {
  image: File;
  manifest: File;
  sbom: File | undefined;
  notes: Texts;
  channel: string;
  draft: boolean;
}

/** Notes as a field of the form: the languages that have some. */
export function notesField(notes: Texts): string {
  return JSON.stringify(Object.fromEntries(Object.entries(notes).filter(([, text]) => text.trim() !== '')));
}

/**
 * Publishes a release. `sent` hears how much of the image has left the browser, from 0 to 1. A connection that is cut
 * costs what was under way; so does a page that is closed.
 */
export async function publishRelease(product: string, upload: Upload, sent: (part: number) => void, stop: AbortSignal): Promise<Release> {
  const { image } = upload;
  let there = 0;
  const tell = (bytes: number) => sent(image.size === 0 ? 1 : Math.min(1, bytes / image.size));
  const wire = browserWire(stop, (moved) => tell(there + moved));
  const id = await sendFile(wire, image, await sha256Of(image), (bytes) => tell((there = bytes)));

  const form = new FormData();
  form.append('upload', id);
  form.append('manifest', upload.manifest);
  form.append('channel', upload.channel);
  form.append('notes_by_language', notesField(upload.notes));
  if (upload.sbom) form.append('sbom', upload.sbom);
  if (upload.draft) form.append('draft', 'true');
  let answer: Response;
  try {
    const headers = { accept: 'application/json' };
    answer = await fetch(path('products', product, 'releases'), { method: 'POST', headers, body: form, signal: stop });
  } catch (cause) {
    if (stop.aborted) throw new Problem(0, 'stopped', '');
    throw new Problem(0, 'no_connection', cause instanceof Error ? cause.message : String(cause));
  }
  if (!answer.ok) throw await problemOf(answer);
  return (await answer.json()) as Release;
}
