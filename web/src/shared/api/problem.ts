/** What is said of a password or code: whoever is signed in stays so. */
const AT_THE_DOOR: readonly string[] = ['sign_in_failed', 'second_factor_required', 'second_factor_wrong', 'challenge_unknown'];

/** Why a request was not carried out: the server's problem, or that there was no answer at all. */
export class Problem extends Error {
  constructor(
    /** The HTTP status; 0 when no answer came. */
    readonly status: number,
    /** Stable, for programs: the server's code, or `no_connection`. */
    readonly code: string,
    /** For people, in English: what the console shows and the owner's app does not. */
    readonly detail: string,
    readonly found?: string,
    readonly expected?: string,
    /** What the second step of signing in takes. */
    readonly challenge?: string,
  ) {
    super(`${code}: ${detail}`);
    this.name = 'Problem';
  }

  /** The server cannot be reached, or is starting: what was last known stays on the screen. */
  get isAbsence(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }

  get isSignedOut(): boolean {
    return this.status === 401 && !AT_THE_DOOR.includes(this.code);
  }
}

/** Any failure as a problem, so that a page has one kind to show. */
export function asProblem(cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  return new Problem(500, 'internal', cause instanceof Error ? cause.message : String(cause));
}

export async function problemOf(answer: Response): Promise<Problem> {
  const body: Record<string, unknown> = await answer.json().catch(() => ({}));
  const text = (name: string) => (typeof body[name] === 'string' ? body[name] : undefined);
  // A proxy in front of the server answers in a language of its own.
  const code = text('code') ?? `http_${answer.status}`;
  // The shadow service answers in the shape of AWS IoT, with a message and no code.
  const detail = text('detail') ?? text('message') ?? answer.statusText;
  return new Problem(answer.status, code, detail, text('found'), text('expected'), text('challenge'));
}
