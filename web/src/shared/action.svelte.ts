import { asProblem, type Problem } from './api/problem';
import { maybe, t } from './language/translate.svelte';

/** One thing a person asked for: whether it is under way, and why it was not done. */
export class Action {
  busy = $state(false);
  problem = $state.raw<Problem>();

  /** Does the work unless it is under way already; tells whether it was done. */
  async run(work: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = undefined;
    try {
      await work();
      return true;
    } catch (cause) {
      this.problem = asProblem(cause);
      return false;
    } finally {
      this.busy = false;
    }
  }
}

/** What happened, in the person's words: the server's own explanations are for programs and in English. */
export function wordsFor(problem: Problem): string {
  const known = maybe(`error.${problem.code}`);
  if (known) return known;
  if (problem.isAbsence) return t('error.no_connection');
  if (problem.status === 401) return t('error.signed_out');
  if (problem.status === 403) return t('error.not_allowed');
  if (problem.status === 429) return t('error.too_many_attempts');
  return t('error.other');
}
