import { Problem, problemOf } from '../../shared/api/problem';
import { path } from './path';

/** Waits before the tries after a failure: a server that restarts is back by then. */
const WAITS_MS = [1_000, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/** What of the wire is used, so that tests need none. */
export interface Wire {
  /** A request without a body, or with a piece of the file; rejects with a `Problem` when there is no answer. */
  send(method: 'POST' | 'HEAD' | 'PATCH', to: string, headers: Record<string, string>, piece?: Blob): Promise<Response>;
  wait(ms: number): Promise<void>;
}

/** Whether asking again can help: no answer, a broken body, or an offset that is no longer true. */
const isPassing = ({ status }: Problem) => status === 0 || [400, 408, 409].includes(status) || (status >= 500 && status !== 507);

/**
 * Sends a file by tus 1.0.0, over cut connections and restarts of the server; tells the id of its upload. `sent` hears
 * how many bytes are there.
 */
export async function sendFile(wire: Wire, file: Blob, sha256: string | undefined, sent: (bytes: number) => void): Promise<string> {
  const ask = async (method: 'POST' | 'HEAD' | 'PATCH', to: string, headers: Record<string, string>, piece?: Blob) => {
    const answer = await wire.send(method, to, { 'tus-resumable': '1.0.0', ...headers }, piece);
    if (!answer.ok) throw await problemOf(answer);
    return answer;
  };
  const offsetOf = (answer: Response) => Number(answer.headers.get('upload-offset'));
  const begin = async (): Promise<[string, number]> => {
    const metadata: Record<string, string> = sha256 === undefined ? {} : { 'upload-metadata': `sha256 ${btoa(sha256)}` };
    const begun = await ask('POST', path('uploads'), { 'upload-length': String(file.size), ...metadata });
    return [begun.headers.get('location') ?? '', offsetOf(begun)];
  };
  let [to, at] = await begin();
  let tries = 0;
  while (at < file.size) {
    sent(at);
    try {
      const headers = { 'upload-offset': String(at), 'content-type': 'application/offset+octet-stream' };
      at = offsetOf(await ask('PATCH', to, headers, file.slice(at)));
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      const wait = WAITS_MS[tries++];
      if (cause.status === 404) [to, at] = await begin();
      else if (!isPassing(cause) || wait === undefined) throw cause;
      else {
        await wire.wait(wait);
        const before = at;
        at = await ask('HEAD', to, {}).then(offsetOf, (again: unknown) => {
          if (again instanceof Problem && again.isAbsence) return before;
          throw again;
        });
        if (at > before) tries = 0;
      }
    }
  }
  sent(at);
  return to.split('/').at(-1) ?? '';
}

/** SHA-256 of a file, where the page may compute it: with it an upload goes on that was begun before. */
export async function sha256Of(file: Blob): Promise<string | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The browser's own wire; `moved` hears how much of a piece has left it, which `fetch` does not tell. */
export function browserWire(stop: AbortSignal, moved: (bytes: number) => void): Wire {
  const send: Wire['send'] = (method, to, headers, piece) =>
    new Promise((resolve, reject) => {
      const stopped = () => reject(new Problem(0, 'stopped', ''));
      if (stop.aborted) return stopped();
      const request = new XMLHttpRequest();
      request.open(method, to);
      for (const [name, value] of Object.entries({ accept: 'application/json', ...headers })) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded }) => moved(loaded);
      request.onload = () => {
        const { status, statusText } = request;
        const answered = new Headers();
        for (const name of ['location', 'upload-offset']) {
          const value = request.getResponseHeader(name);
          if (value !== null) answered.set(name, value);
        }
        resolve(new Response(status === 204 || method === 'HEAD' ? null : request.responseText, { status, statusText, headers: answered }));
      };
      request.onerror = () => reject(new Problem(0, 'no_connection', request.statusText));
      request.onabort = stopped;
      stop.addEventListener('abort', () => request.abort());
      request.send(piece ?? null);
    });
  const wait = (ms: number) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      stop.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(new Problem(0, 'stopped', ''));
      });
    });
  return { send, wait };
}
