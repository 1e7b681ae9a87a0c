/** Bytes heard within this time say how fast a download is; older ones say how fast it was. */
const WINDOW_MS = 30_000;

/** Less than this says more about one packet than about the link. */
const ENOUGH_MS = 2_000;

/** With no new byte for this long, nobody knows how long the rest takes. */
const STALLED_MS = 15_000;

interface Sample {
  at: number;
  done: number;
}

/** How fast the bytes of one attempt really come in. */
export class Pace {
  #attempt = -1;
  #id = '';
  #samples: Sample[] = [];

  /** The device has `done` bytes of this attempt at the time `at`. */
  heard(id: string, attempt: number, done: number, at: number): void {
    if (id !== this.#id || attempt !== this.#attempt) {
      this.#id = id;
      this.#attempt = attempt;
      this.#samples = [];
    }
    const last = this.#samples.at(-1);
    if (last && done <= last.done) return;
    this.#samples.push({ at, done });
    this.#samples = this.#samples.filter((sample) => at - sample.at <= WINDOW_MS);
  }

  /** Seconds until `total` bytes are there at this pace; nothing while it is not known. */
  secondsLeft(total: number, now: number): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.at - first.at < ENOUGH_MS || now - last.at > STALLED_MS) return undefined;
    const bytesPerMs = (last.done - first.done) / (last.at - first.at);
    return Math.max(0, total - last.done) / bytesPerMs / 1_000;
  }
}
