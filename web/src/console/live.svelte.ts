import type { Update } from '../shared/api/objects';
import { Stream, type StreamEvent } from '../shared/api/stream';

const KINDS = [
  'update_changed',
  'update_finished',
  'settings_changed',
  'device_online',
  'device_offline',
  'device_changed',
  'firmware_available',
  'shadow_changed',
  'logs_added',
  'releases_changed',
  'patches_changed',
  'bucket_changed',
  'provisioning_changed',
] as const;

type Hear = (event: StreamEvent) => void;

/** The events of the organisation, for whichever page is open. */
class Live {
  /** Whether what is shown moves; unknown until the first answer. */
  connected = $state<boolean>();
  /** Rises with every opening: what was read before may have missed something. */
  openings = $state(0);
  #stream: Stream | undefined;
  readonly #listeners = new Set<Hear>();

  start(): void {
    this.#stream ??= new Stream('/api/v1/listen', {
      kinds: KINDS,
      opened: () => {
        this.connected = true;
        this.openings += 1;
      },
      lost: () => (this.connected = false),
      heard: (event) => this.#listeners.forEach((hear) => hear(event)),
    });
  }

  end(): void {
    this.#stream?.end();
    this.#stream = undefined;
    this.connected = undefined;
  }

  /** Tells `hear` of every event until the answer is called. */
  on(hear: Hear): () => void {
    this.#listeners.add(hear);
    return () => this.#listeners.delete(hear);
  }
}

export const live = new Live();

/** The device an event is about. */
export const thingOf = ({ body }: StreamEvent): string | undefined => (body as { thing?: string } | null)?.thing;

/** The update an event shows. */
export const updateOf = ({ kind, body }: StreamEvent): Update | undefined =>
  kind === 'update_changed' || kind === 'update_finished' ? (body as Update) : undefined;
