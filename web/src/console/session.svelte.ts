import type { User } from '../shared/api/objects';
import { asProblem } from '../shared/api/problem';
import { whenFactorMissing, whenSignedOut } from '../shared/api/request';
import { showSetUp, showUser, signOut } from '../shared/api/session';
import { leaveFor } from '../shared/away';
import { chooseLanguage } from '../shared/language/translate.svelte';

type State = 'starting' | 'out' | 'in' | 'factor_missing' | 'unreachable';

/** Who uses the console. */
class Session {
  state = $state<State>('starting');
  user = $state.raw<User>();

  async start(): Promise<void> {
    whenSignedOut(() => this.#left());
    whenFactorMissing(() => (this.state = 'factor_missing'));
    try {
      const { signed_in } = await showSetUp();
      if (signed_in === false) return this.#left();
      await this.enter(await showUser());
    } catch (cause) {
      const problem = asProblem(cause);
      if (!problem.isSignedOut && problem.code !== 'second_factor_missing') this.state = 'unreachable';
    }
  }

  async enter(user: User): Promise<void> {
    if (user.language) await chooseLanguage(user.language);
    this.user = user;
    this.state = 'in';
  }

  async leave(): Promise<void> {
    const away = await signOut();
    this.#left();
    if (away) leaveFor(away);
  }

  #left(): void {
    this.user = undefined;
    this.state = 'out';
  }
}

export const session = new Session();
