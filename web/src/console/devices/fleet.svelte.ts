import type { StreamEvent } from '../../shared/api/stream';
import { listDevices, showDevice } from '../api/devices';
import type { Device } from '../api/objects';
import { thingOf } from '../live.svelte';
import { now } from '../now.svelte';
import { Pages } from '../pages.svelte';
import { isEmpty, matches, NO_FILTER, wantedOf, type Filter } from './filter';

const PART = 100;

/** Who types is not asked for every letter. */
const TYPING_MS = 200;

/** How soon at most a filtered list is read again because of a device that is not in it. */
const ANEW_MS = 1_000;

/** What may bring a device into a filtered list, or out of it. */
const MOVES = ['device_online', 'device_offline', 'device_changed', 'update_finished'];

/** The devices of the organisation that a filter lets through, as far as they were read. */
export class Fleet {
  filter = $state.raw<Filter>(NO_FILTER);
  readonly pages = new Pages<Device>((cursor) => listDevices(wantedOf(this.filter), PART, cursor));
  /** What was read may have changed since. */
  readonly shown = $derived(this.pages.items?.filter((device) => matches(device, this.filter, now())));
  readonly isFiltered = $derived(!isEmpty(this.filter));
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isLooking = false;

  choose(filter: Filter): void {
    this.filter = filter;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.pages.anew(), TYPING_MS);
  }

  hear(event: StreamEvent): void {
    const thing = thingOf(event);
    if (thing === undefined || !MOVES.includes(event.kind)) return;
    if (!this.pages.items?.some((device) => device.thing === thing)) {
      if (this.isFiltered) this.#lookAgain();
    } else if (event.kind === 'device_online' || event.kind === 'device_offline') {
      this.#change(thing, (device) => ({ ...device, online: event.kind === 'device_online' }));
    } else {
      void showDevice(thing).then((now) => this.#change(thing, () => now), () => undefined);
    }
  }

  #lookAgain(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    setTimeout(() => {
      this.#isLooking = false;
      void this.pages.again();
    }, ANEW_MS);
  }

  #change(thing: string, to: (device: Device) => Device): void {
    this.pages.change((items) => items.map((device) => (device.thing === thing ? to(device) : device)));
  }
}
