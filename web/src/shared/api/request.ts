import { Problem, problemOf } from './problem';

/** Longer than the server takes over a password; shorter than a person waits. */
const TIMEOUT_MS = 20_000;

let signedOut = (): void => {};

/** Whom to tell when the server no longer knows the session, whatever was asked. */
export function whenSignedOut(tell: () => void): void {
  signedOut = tell;
}

let factorMissing = (): void => {};

/** Whom to tell when the person must set up a second factor before anything else. */
export function whenFactorMissing(tell: () => void): void {
  factorMissing = tell;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Carries out one request of the API; throws a `Problem` for anything but success. */
export async function request<T = void>(method: Method, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  // Notes and labels come in the person's language, not the browser's.
  const language = document.documentElement.lang;
  if (language) headers['accept-language'] = language;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new Problem(0, 'no_connection', cause instanceof Error ? cause.message : String(cause));
  }
  if (!answer.ok) {
    const problem = await problemOf(answer);
    if (problem.isSignedOut) signedOut();
    if (problem.code === 'second_factor_missing') factorMissing();
    throw problem;
  }
  if (answer.status === 204 || answer.status === 202) return undefined as T;
  return (await answer.json()) as T;
}
