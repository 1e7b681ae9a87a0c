import type { User } from './api/objects';
import { asProblem } from './api/problem';
import { signInWithCode } from './api/session';

/** Signing in where a code may be asked for after the password. */
export class SecondStep {
  /** What the code goes with; as long as there is none, the password is asked for. */
  challenge = $state<string>();
  code = $state('');

  /** Sends the password, or the code once that is asked for. Nobody is in yet while a code is asked for. */
  async go(password: () => Promise<User>): Promise<User | undefined> {
    try {
      if (this.challenge === undefined) return await password();
      const user = await signInWithCode(this.challenge, this.code.trim());
      this.challenge = undefined;
      return user;
    } catch (cause) {
      const problem = asProblem(cause);
      this.code = '';
      if (problem.code === 'challenge_unknown') this.challenge = undefined;
      if (problem.code !== 'second_factor_required') throw problem;
      this.challenge = problem.challenge;
      return undefined;
    }
  }
}
