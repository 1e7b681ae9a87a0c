import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { images, NEW, OLD } from './images.ts';
import { Process, run, until } from './process.ts';

interface Ports {
  http: string;
  https: string;
  device_https: string;
  mqtts: string;
}

/** A real server in a folder of its own, and the devices that belong to it. */
export class Server {
  #process: Process | undefined;
  #ports: Ports | undefined;
  readonly #devices = new Map<string, Process>();

  constructor(readonly folder: string) {}

  get url(): string {
    if (!this.#ports) throw new Error('the server has not been started');
    return `http://${this.#ports.http}`;
  }

  /** What it printed, the set-up link among it. */
  get output(): string {
    return this.#process?.output ?? '';
  }

  /** Starts it on free ports; again, on the same ones. */
  async start(env: Record<string, string> = {}): Promise<void> {
    const data = join(this.folder, 'server');
    const ports = this.#ports ?? { http: '127.0.0.1:0', https: '127.0.0.1:0', device_https: '127.0.0.1:0', mqtts: '127.0.0.1:0' };
    await rm(join(data, 'listen.json'), { force: true });
    const listen = Object.entries(ports).flatMap(([name, address]) => [`--listen-${name.replace('_', '-')}`, address]);
    const started = new Process(['serve', '--data', data, ...listen], env);
    this.#process = started;
    this.#ports = await until('the server', async () => {
      if (started.hasEnded) throw new Error(`the server ended:\n${started.output}`);
      const written = await readFile(join(data, 'listen.json'), 'utf8').catch(() => undefined);
      if (!written) return undefined;
      const bound = JSON.parse(written) as Ports;
      const ready = await fetch(`http://${bound.http}/readyz`).catch(() => undefined);
      return ready?.ok ? { http: bound.http, https: bound.https, device_https: bound.device_https, mqtts: bound.mqtts } : undefined;
    });
  }

  /** Ends it as a power cut would, or as an operator does. */
  async stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#process?.stop(signal);
  }

  async end(): Promise<void> {
    await Promise.all([...this.#devices.values()].map((device) => device.stop('SIGKILL')));
    await this.stop();
  }

  /** An operator's or publisher's command, as they type it. */
  otaru(...args: string[]): Promise<any> {
    const env = { OTARU_SERVER: this.url, OTARU_TOKEN_FILE: join(this.folder, 'server/admin.token') };
    return run([...args, '-o', 'json', '--no-input'], env);
  }

  /** A request of the API as the administrator, where no command exists. */
  api(method: string, path: string, body?: unknown): Promise<any> {
    return this.#ask(method, path, { 'content-type': 'application/json' }, body === undefined ? undefined : JSON.stringify(body));
  }

  upload(path: string, form: FormData): Promise<any> {
    return this.#ask('POST', path, {}, form);
  }

  async #ask(method: string, path: string, more: Record<string, string>, body?: string | FormData): Promise<any> {
    const token = (await readFile(join(this.folder, 'server/admin.token'), 'utf8')).trim();
    const headers = { authorization: `Bearer ${token}`, ...more };
    const answer = await fetch(this.url + path, { method, headers, ...(body === undefined ? {} : { body }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  }

  async createProduct(): Promise<void> {
    const keys = join(this.folder, 'keys');
    await this.otaru('key', 'new', '--out', keys, '--no-passphrase');
    await this.otaru('product', 'create', 'clock', '--chip', 'esp32c3', '--flash', '4M', '--root', join(keys, 'root.cbor'));
  }

  /** Registers a device; its claim code. */
  async addDevice(thing: string): Promise<string> {
    await this.otaru('device', 'add', thing, '--product', 'clock', '--out', join(this.folder, thing));
    return (await this.otaru('device', 'claim-code', thing)).code;
  }

  /** Plugs the device in; returns once the server knows what it runs. */
  async plugIn(thing: string, ...more: string[]): Promise<void> {
    const files = join(this.folder, thing);
    const args = ['sim', '--dir', files, '--flash', join(files, 'flash.bin'), '--image', images().old, ...more];
    this.#devices.set(thing, new Process(args));
    await until(`${thing} online`, async () => {
      const shown = await this.otaru('device', 'show', thing);
      return shown.online && shown.running ? true : undefined;
    });
  }

  async unplug(thing: string): Promise<void> {
    await this.#devices.get(thing)?.stop('SIGKILL');
  }

  /** The device stands still, in whatever it is doing. */
  hold(thing: string): void {
    this.#devices.get(thing)?.hold();
  }

  goOn(thing: string): void {
    this.#devices.get(thing)?.goOn();
  }

  async publish(version = NEW, image: 'good' | 'bad' = 'good', notes = 'Winter time comes on the right day.'): Promise<void> {
    const key = join(this.folder, 'keys/release.key');
    await this.otaru('release', 'publish', images()[image], '--product', 'clock', '--version', version, '--key', key, '--notes', notes);
  }

  get versions(): { old: string; new: string } {
    return { old: OLD, new: NEW };
  }
}
