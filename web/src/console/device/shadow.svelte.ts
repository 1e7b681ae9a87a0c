import { asProblem, type Problem } from '../../shared/api/problem';
import { showShadow } from '../api/devices';
import type { Shadow } from '../api/objects';

/** A device's shadow as it is now. */
export class OneShadow {
  shadow = $state.raw<Shadow>();
  /** There is none yet: the first wish makes it. */
  isMissing = $state(false);
  problem = $state.raw<Problem>();

  constructor(readonly thing: string) {}

  async read(): Promise<void> {
    try {
      const read = await showShadow(this.thing);
      // Answers may overtake each other.
      if (!this.shadow || read.version >= this.shadow.version) this.shadow = read;
      this.isMissing = false;
      this.problem = undefined;
    } catch (cause) {
      const problem = asProblem(cause);
      this.isMissing = problem.status === 404;
      if (this.isMissing) this.shadow = undefined;
      this.problem = this.isMissing ? undefined : problem;
    }
  }
}
