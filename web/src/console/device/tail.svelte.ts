import { asProblem, type Problem } from '../../shared/api/problem';
import { listLogs } from '../api/devices';
import { lineOf, type Line } from './log';

const FIRST = 100;

/** More lines than anybody scrolls through; older ones go. */
const MOST = 2_000;

/** The end of a device's log, growing. */
export class Tail {
  lines = $state.raw<Line[]>();
  problem = $state.raw<Problem>();

  constructor(readonly thing: string) {}

  async read(): Promise<void> {
    try {
      let isMore = true;
      while (isMore) {
        const last = this.lines?.at(-1)?.id;
        const { items, next_cursor } = await listLogs(this.thing, last === undefined ? { tail: FIRST } : { after: last });
        if (items.length > 0 || !this.lines) this.lines = [...(this.lines ?? []), ...items.map(lineOf)].slice(-MOST);
        isMore = next_cursor !== null && items.length > 0;
      }
      this.problem = undefined;
    } catch (cause) {
      this.problem = asProblem(cause);
    }
  }
}
