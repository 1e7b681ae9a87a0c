import type { StreamEvent } from '../../shared/api/stream';
import { listDevices, showDevice } from '../api/devices';
import type { Device } from '../api/objects';
import { thingOf } from '../live.svelte';
import { Pages } from '../pages.svelte';
import { isEmpty, matches, type Filter } from './filter';

const PART = 100;

/** The most the API gives at once, for reading on in search of what a filter wants. */
const SEARCH_PART = 200;
const SEARCH_PARTS = 10;

/** The devices of the organisation, as far as they were read, and those of them that a filter lets through. */
export class Fleet {
  filter = $state.raw<Filter>({ text: '', presence: 'all' });
  readonly pages = new Pages<Device>((cursor) => listDevices(isEmpty(this.filter) ? PART : SEARCH_PART, cursor));
  readonly shown = $derived(this.pages.items?.filter((device) => matches(device, this.filter)));
  readonly isFiltered = $derived(!isEmpty(this.filter));
  searching = $state(false);
  #search = 0;

  /** Looks for more that the filter lets through: the API knows no filter, so the list is read on. */
  async look(): Promise<void> {
    this.#search += 1;
    const search = this.#search;
    const enough = (this.shown?.length ?? 0) + PART;
    this.searching = true;
    for (let parts = 0; parts < SEARCH_PARTS && this.pages.cursor && (this.shown?.length ?? 0) < enough; parts += 1) {
      await this.pages.more();
      if (search !== this.#search) return;
      if (this.pages.problem) break;
    }
    this.searching = false;
  }

  choose(filter: Filter): void {
    this.filter = filter;
    this.#search += 1;
    this.searching = false;
    const few = (this.shown?.length ?? 0) < PART;
    if (this.isFiltered && this.pages.cursor && few) void this.look();
  }

  hear(event: StreamEvent): void {
    const thing = thingOf(event);
    if (thing === undefined || !this.pages.items?.some((device) => device.thing === thing)) return;
    if (event.kind === 'device_online' || event.kind === 'device_offline') {
      this.#change(thing, (device) => ({ ...device, online: event.kind === 'device_online' }));
    } else if (event.kind === 'update_finished' || event.kind === 'device_changed') {
      void showDevice(thing).then((now) => this.#change(thing, () => now), () => undefined);
    }
  }

  #change(thing: string, to: (device: Device) => Device): void {
    this.pages.change((items) => items.map((device) => (device.thing === thing ? to(device) : device)));
  }
}
