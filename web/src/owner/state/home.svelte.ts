// What the app knows: the person, their devices, and whether the server is there. One for the page.
import { SvelteMap } from 'svelte/reactivity';

import { listDevices } from '../../shared/api/devices';
import type { OwnDevice, Update, User } from '../../shared/api/objects';
import { asProblem } from '../../shared/api/problem';
import { whenFactorMissing, whenSignedOut } from '../../shared/api/request';
import { showSetUp, showUser } from '../../shared/api/session';
import { Stream } from '../../shared/api/stream';
import { chooseLanguage } from '../../shared/language/translate.svelte';
import { HighWater, type Reached } from '../device/progress';
import { Pace } from '../device/pace';
import { newerUpdate } from '../device/view';
import { forgetKnown, readKnown, writeKnown } from './cache';

type Session = 'starting' | 'out' | 'in' | 'unreachable';

const KINDS = [
  'firmware_available',
  'update_changed',
  'update_finished',
  'settings_changed',
  'device_online',
  'device_offline',
  'device_changed',
] as const;

class Home {
  session = $state<Session>('starting');
  /** The person must set up a second factor before anything else. */
  factorMissing = $state(false);
  user = $state.raw<User>();
  devices = $state.raw<OwnDevice[]>();
  /** The server is heard; else what is shown is what was last known, `at` that time. */
  connected = $state(true);
  at = $state(0);
  readonly seen = new SvelteMap<string, string>();
  /** Per device, how often it was said to have changed: for what is read beside the list of devices. */
  readonly changes = new SvelteMap<string, number>();

  #water = new HighWater();
  readonly #paces = new Map<string, Pace>();
  #stream: Stream | undefined;
  #refreshing: Promise<void> | undefined;
  #again = false;

  /** Shows what was last known at once, then asks the server who is there. */
  async start(): Promise<void> {
    whenSignedOut(() => this.leave());
    whenFactorMissing(() => (this.factorMissing = true));
    const known = readKnown();
    if (known) {
      this.#water = new HighWater(known.progress);
      for (const [thing, id] of Object.entries(known.seen)) this.seen.set(thing, id);
      this.user = known.user;
      this.devices = known.devices;
      this.at = known.at;
      this.session = 'in';
    }
    try {
      // Asked first, since a stranger's request for the person is an error in the browser's console.
      const { signed_in } = known ? { signed_in: true } : await showSetUp();
      if (!signed_in) return this.leave();
      await this.enter(await showUser());
    } catch (cause) {
      if (asProblem(cause).isSignedOut || this.factorMissing) return;
      this.connected = false;
      if (!known) this.session = 'unreachable';
      else this.#listen();
    }
  }

  /** Somebody signed in. */
  async enter(user: User): Promise<void> {
    if (this.user && this.user.id !== user.id) this.#forget();
    this.user = user;
    if (user.language) await chooseLanguage(user.language);
    await this.refresh();
    this.session = 'in';
    this.#listen();
  }

  /** Nobody is signed in any more: nothing of theirs stays on this phone. */
  leave(): void {
    this.factorMissing = false;
    this.#stream?.end();
    this.#stream = undefined;
    this.#forget();
    this.session = 'out';
  }

  /** The second factor is set up: the app starts as for anybody. */
  async factorSetUp(): Promise<void> {
    this.factorMissing = false;
    await this.start();
  }

  device(thing: string): OwnDevice | undefined {
    return this.devices?.find((device) => device.thing === thing);
  }

  /** The furthest the update has come, as far as this phone knows. */
  reached(update: Update): Reached {
    return this.#water.note(update);
  }

  secondsLeft(update: Update, now: number): number | undefined {
    return update.phase === 'downloading' ? this.#paces.get(update.thing)?.secondsLeft(update.total, now) : undefined;
  }

  /** Reads everything anew; once more if something happened meanwhile. */
  refresh(): Promise<void> {
    if (this.#refreshing) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#read().finally(() => {
      this.#refreshing = undefined;
      if (this.#again) void this.refresh();
    });
    return this.#refreshing;
  }

  /** Takes what an answer said about one device; nothing, when it is gone. */
  put(device: OwnDevice): void {
    const known = this.device(device.thing);
    const update = device.update && newerUpdate(known?.update ?? null, device.update);
    const next = { ...device, update };
    const devices = this.devices ?? [];
    this.#set(known ? devices.map((old) => (old === known ? next : old)) : [...devices, next]);
  }

  putUpdate(update: Update): void {
    const known = this.device(update.thing);
    if (!known) return;
    let pace = this.#paces.get(update.thing);
    if (!pace) this.#paces.set(update.thing, (pace = new Pace()));
    if (update.phase === 'downloading') pace.heard(update.id, update.attempt, update.done, Date.now());
    this.#patch(known, { update: newerUpdate(known.update, update) });
  }

  drop(thing: string): void {
    this.#set((this.devices ?? []).filter((device) => device.thing !== thing));
  }

  setUser(user: User): void {
    this.user = user;
    this.#save();
  }

  /** Puts an ended update aside: the page is about the device again. */
  putAside(update: Update): void {
    this.seen.set(update.thing, update.id);
    this.#save();
  }

  #patch(device: OwnDevice, change: Partial<OwnDevice>): void {
    this.#set((this.devices ?? []).map((old) => (old.thing === device.thing ? { ...old, ...change } : old)));
  }

  #set(devices: OwnDevice[]): void {
    this.devices = devices;
    this.at = Date.now();
    for (const { update } of devices) if (update) this.#water.note(update);
    this.#save();
  }

  async #read(): Promise<void> {
    this.#again = false;
    try {
      const devices = await listDevices();
      const update = (device: OwnDevice) =>
        device.update && newerUpdate(this.device(device.thing)?.update ?? null, device.update);
      this.#set(devices.map((device) => ({ ...device, update: update(device) })));
      this.connected = true;
    } catch (cause) {
      const problem = asProblem(cause);
      if (problem.isAbsence) this.connected = false;
    }
  }

  #listen(): void {
    this.#stream ??= new Stream('/app/listen', {
      kinds: KINDS,
      opened: () => void this.refresh(),
      // A broken stream alone is no lost server: reading anew tells, and notices a session that ended.
      lost: () => void this.refresh(),
      heard: ({ kind, body }) => this.#hear(kind, body as Update & { thing: string }),
    });
  }

  #hear(kind: string, body: Update & { thing: string }): void {
    this.connected = true;
    const device = this.device(body.thing);
    if (kind === 'update_changed' || kind === 'update_finished') this.putUpdate(body);
    if (device && kind === 'device_online') this.#patch(device, { online: true });
    if (device && kind === 'device_offline') this.#patch(device, { online: false, last_seen_at: new Date().toISOString() });
    if (kind === 'device_changed') this.changes.set(body.thing, (this.changes.get(body.thing) ?? 0) + 1);
    // A byte tick changes the update alone; whatever else happened may change more than it says.
    const isTick = kind === 'update_changed' && device?.update?.id === body.id && device.update.phase === body.phase;
    if (!isTick) void this.refresh();
  }

  #save(): void {
    if (!this.user) return;
    const devices = this.devices ?? [];
    const progress = this.#water.keep(devices.flatMap(({ update }) => (update && !update.outcome ? [update.id] : [])));
    writeKnown({ user: this.user, devices, at: this.at, progress, seen: Object.fromEntries(this.seen) });
  }

  #forget(): void {
    forgetKnown();
    this.user = undefined;
    this.devices = undefined;
    this.seen.clear();
    this.changes.clear();
    this.#paces.clear();
    this.#water = new HighWater();
  }
}

export const home = new Home();
