import type { Update } from '../../shared/api/objects';
import { asProblem, type Problem } from '../../shared/api/problem';
import type { StreamEvent } from '../../shared/api/stream';
import { listUpdates, showDevice } from '../api/devices';
import type { Device } from '../api/objects';
import { thingOf, updateOf } from '../live.svelte';
import { Pages } from '../pages.svelte';
import { withUpdate } from '../updates/merge';
import { withTime, type Times } from '../updates/track';

/** One device and its updates, as they change. */
export class OneDevice {
  device = $state.raw<Device>();
  problem = $state.raw<Problem>();
  times = $state.raw<Times>(new Map());
  readonly updates: Pages<Update>;
  /** The newest one: open, or how it ended. */
  readonly update = $derived.by(() => this.updates.items?.[0]);

  constructor(readonly thing: string) {
    this.updates = new Pages((cursor) => listUpdates(20, cursor, thing));
  }

  async read(): Promise<void> {
    await Promise.all([this.#readDevice(), this.updates.again()]);
    if (this.update) this.times = withTime(this.times, this.update);
  }

  /** What the server answered to a request about an update. */
  know(update: Update): void {
    this.times = withTime(this.times, update);
    this.updates.change((items) => withUpdate(items, update));
  }

  hear(event: StreamEvent): void {
    if (thingOf(event) !== this.thing) return;
    const update = updateOf(event);
    if (update) this.know(update);
    if (event.kind === 'device_online' || event.kind === 'device_offline') {
      const online = event.kind === 'device_online';
      if (this.device) this.device = { ...this.device, online };
    }
    if (event.kind !== 'update_changed') void this.#readDevice();
  }

  async #readDevice(): Promise<void> {
    try {
      this.device = await showDevice(this.thing);
      this.problem = undefined;
    } catch (cause) {
      this.problem = asProblem(cause);
    }
  }
}
