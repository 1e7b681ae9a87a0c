import type { Update } from '../../shared/api/objects';
import { asProblem, type Problem } from '../../shared/api/problem';
import type { StreamEvent } from '../../shared/api/stream';
import { listUpdates, showDevice, traceUpdate } from '../api/devices';
import type { Device, TracedUpdate } from '../api/objects';
import { inTurn } from '../in-turn';
import { thingOf, updateOf } from '../live.svelte';
import { Pages } from '../pages.svelte';
import { withUpdate } from '../updates/merge';

/** One device and its updates, as they change. */
export class OneDevice {
  device = $state.raw<Device>();
  problem = $state.raw<Problem>();
  readonly updates: Pages<Update>;
  /** The newest one: open, or how it ended. */
  readonly update = $derived.by(() => this.updates.items?.[0]);
  /** The phases that one went through, as far as they were read. */
  readonly history = $derived.by(() => (this.#traced?.id === this.update?.id ? (this.#traced?.history ?? []) : []));
  #traced = $state.raw<TracedUpdate>();
  readonly #trace = inTurn(() => this.#readHistory());

  constructor(readonly thing: string) {
    this.updates = new Pages((cursor) => listUpdates(20, cursor, thing));
  }

  async read(): Promise<void> {
    await Promise.all([this.#readDevice(), this.updates.again()]);
    this.#trace();
  }

  /** What the server answered to a request about an update. */
  know(update: Update): void {
    const before = this.update;
    this.updates.change((items) => withUpdate(items, update));
    if (!before || this.update === undefined || placeOf(before) !== placeOf(this.update)) this.#trace();
  }

  hear(event: StreamEvent): void {
    if (thingOf(event) !== this.thing) return;
    const update = updateOf(event);
    if (update) this.know(update);
    if (event.kind === 'device_online' || event.kind === 'device_offline') {
      const online = event.kind === 'device_online';
      if (this.device) this.device = { ...this.device, online };
    }
    if (!['update_changed', 'shadow_changed', 'logs_added'].includes(event.kind)) void this.#readDevice();
  }

  async #readDevice(): Promise<void> {
    try {
      this.device = await showDevice(this.thing);
      this.problem = undefined;
    } catch (cause) {
      this.problem = asProblem(cause);
    }
  }

  /** What was read stays when that fails: the next phase reads it again. */
  async #readHistory(): Promise<void> {
    const id = this.update?.id;
    if (id === undefined) return;
    this.#traced = await traceUpdate(this.thing, id).catch(() => this.#traced);
  }
}

/** Bytes leave it where it is. */
const placeOf = ({ id, phase, outcome, attempt }: Update): string => [id, phase, outcome, attempt].join(' ');
