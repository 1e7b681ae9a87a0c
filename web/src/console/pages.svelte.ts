import { untrack } from 'svelte';

import type { List } from '../shared/api/objects';
import { asProblem, type Problem } from '../shared/api/problem';

/** How soon a list is read again that changed while it was read. */
const AGAIN_MS = 1_000;

type Read<T> = (cursor?: string) => Promise<List<T>>;

/** A list that is read part by part. */
export class Pages<T> {
  /** What was read; undefined until the first answer. */
  items = $state.raw<T[]>();
  cursor = $state.raw<string | null>(null);
  problem = $state.raw<Problem>();
  busy = $state(false);
  #turn = 0;
  #changedMeanwhile = false;

  constructor(private readonly read: Read<T>) {}

  /** Reads the list anew, as far as it was read before. */
  again(): Promise<void> {
    // An effect that reads a list must not run again because the list changed.
    return untrack(() => this.#again());
  }

  #again(): Promise<void> {
    const wanted = this.items?.length ?? 0;
    return this.#reading(async (isCurrent) => {
      const items: T[] = [];
      let cursor: string | null = null;
      do {
        const part: List<T> = await this.read(cursor ?? undefined);
        items.push(...part.items);
        cursor = part.next_cursor;
      } while (cursor && items.length < wanted && isCurrent());
      if (!isCurrent()) return;
      this.items = items;
      this.cursor = cursor;
    });
  }

  /** Reads another list: its first part. What was read stays until that is there. */
  anew(): Promise<void> {
    return untrack(() =>
      this.#reading(async (isCurrent) => {
        const { items, next_cursor } = await this.read();
        if (!isCurrent()) return;
        this.items = items;
        this.cursor = next_cursor;
      }),
    );
  }

  /** Reads the next part, if there is one. */
  more(): Promise<void> {
    return this.#reading(async (isCurrent) => {
      if (!this.cursor) return;
      const part = await this.read(this.cursor);
      if (!isCurrent()) return;
      this.items = [...(this.items ?? []), ...part.items];
      this.cursor = part.next_cursor;
    });
  }

  /** Shows a change that is known without reading. */
  change(by: (items: T[]) => T[]): void {
    // What is being read may be from before it.
    this.#changedMeanwhile ||= this.busy;
    if (this.items) this.items = by(this.items);
  }

  async #reading(work: (isCurrent: () => boolean) => Promise<void>): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    const isCurrent = () => turn === this.#turn;
    this.busy = true;
    try {
      await work(isCurrent);
      if (isCurrent()) this.problem = undefined;
    } catch (cause) {
      if (isCurrent()) this.problem = asProblem(cause);
    } finally {
      if (isCurrent()) this.#done();
    }
  }

  #done(): void {
    this.busy = false;
    if (!this.#changedMeanwhile) return;
    this.#changedMeanwhile = false;
    setTimeout(() => void this.again(), AGAIN_MS);
  }
}
