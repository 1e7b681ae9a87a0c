/** One message of the server's event stream. */
export interface StreamEvent {
  kind: string;
  body: unknown;
}

export interface StreamListener {
  kinds: readonly string[];
  /** The stream is open: whatever happened before is to be read now. */
  opened(): void;
  lost(): void;
  heard(event: StreamEvent): void;
}

const RETRY_FIRST_MS = 1_000;
const RETRY_MOST_MS = 15_000;

/**
 * A stream of events that goes on after a lost network, a restarted server and a page that was put aside.
 *
 * The browser itself connects again after a broken connection, but gives up after any answer that is not a
 * stream, such as a proxy's 502 while the server starts: this does not. It closes while nobody looks, since a
 * browser has few connections to one server and a phone has a battery.
 */
export class Stream {
  #source: EventSource | undefined;
  #lastId: string | undefined;
  #retryMs = RETRY_FIRST_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #stop = new AbortController();

  constructor(
    readonly path: string,
    readonly listener: StreamListener,
  ) {
    const { signal } = this.#stop;
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#close() : this.#connect()), { signal });
    window.addEventListener('online', () => this.#connect(), { signal });
    window.addEventListener('offline', () => this.#fail(), { signal });
    this.#connect();
  }

  end(): void {
    this.#stop.abort();
    this.#close();
  }

  #connect(): void {
    this.#close();
    if (document.hidden || this.#stop.signal.aborted) return;
    const resume = this.#lastId === undefined ? '' : `?last_event_id=${encodeURIComponent(this.#lastId)}`;
    const source = new EventSource(this.path + resume);
    this.#source = source;
    source.onopen = () => {
      this.#retryMs = RETRY_FIRST_MS;
      this.listener.opened();
    };
    source.onerror = () => {
      this.listener.lost();
      if (source.readyState === EventSource.CLOSED) this.#fail();
    };
    for (const kind of this.listener.kinds) source.addEventListener(kind, (event) => this.#hear(kind, event));
  }

  #hear(kind: string, event: MessageEvent<string>): void {
    // Byte ticks have no id of their own: the browser repeats the last one.
    if (event.lastEventId) this.#lastId = event.lastEventId;
    this.listener.heard({ kind, body: JSON.parse(event.data) });
  }

  #fail(): void {
    this.#close();
    this.listener.lost();
    this.#timer = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MOST_MS);
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
  }
}
