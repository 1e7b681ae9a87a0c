import { describe, expect, test } from 'vitest';

import { sendFile, type Wire } from '../../src/console/api/tus';
import { imageFacts } from '../../src/console/releases/facts';
import { Problem } from '../../src/shared/api/problem';

/** A server of which each PATCH takes as much as it is told to, and then fails as it is told to. */
class Server implements Wire {
  received = 0;
  readonly said: string[] = [];
  readonly waited: number[] = [];

  constructor(
    readonly size: number,
    /** How much each PATCH takes, and what goes wrong then: a status, or 0 for no answer. */
    readonly plan: { takes: number; fails?: number }[],
  ) {}

  async send(method: string, to: string, headers: Record<string, string>, piece?: Blob): Promise<Response> {
    this.said.push(`${method} ${to}${headers['upload-offset'] ? ` at ${headers['upload-offset']}` : ''}`);
    const state = { 'upload-offset': String(this.received), location: '/api/v1/uploads/u1' };
    if (method !== 'PATCH') return new Response(null, { status: method === 'POST' ? 201 : 200, headers: state });
    expect(headers['upload-offset']).toBe(String(this.received));
    expect(piece?.size).toBe(this.size - this.received);
    const { takes, fails } = this.plan.shift() ?? { takes: this.size };
    this.received = Math.min(this.size, this.received + takes);
    if (fails === 0) throw new Problem(0, 'no_connection', '');
    if (fails) return new Response('{"code":"refused"}', { status: fails });
    return new Response(null, { status: 204, headers: { 'upload-offset': String(this.received) } });
  }

  async wait(ms: number): Promise<void> {
    this.waited.push(ms);
  }
}

const send = (server: Server, sent: (bytes: number) => void = () => {}) =>
  sendFile(server, new Blob([new Uint8Array(server.size)]), 'ab', sent);

describe('an upload', () => {
  test('is one request when nothing goes wrong', async () => {
    const server = new Server(100, []);
    const told: number[] = [];
    expect(await send(server, (bytes) => told.push(bytes))).toBe('u1');
    expect(server.said).toEqual(['POST /api/v1/uploads', 'PATCH /api/v1/uploads/u1 at 0']);
    expect(told).toEqual([0, 100]);
  });

  test('goes on from where the server is after cuts', async () => {
    const server = new Server(100, [{ takes: 30, fails: 0 }, { takes: 0, fails: 503 }, { takes: 50, fails: 408 }]);
    await send(server);
    expect(server.received).toBe(100);
    // No progress makes it wait longer; progress starts anew.
    expect(server.waited).toEqual([1_000, 1_000, 1_000]);
    expect(server.said.at(-1)).toBe('PATCH /api/v1/uploads/u1 at 80');
  });

  test('ends when the server stays away, and at once when it refuses', async () => {
    const away = new Server(100, Array.from({ length: 20 }, () => ({ takes: 0, fails: 0 })));
    await expect(send(away)).rejects.toMatchObject({ code: 'no_connection' });
    expect(away.waited.length).toBe(7);
    const refuses = new Server(100, [{ takes: 0, fails: 403 }]);
    await expect(send(refuses)).rejects.toMatchObject({ status: 403 });
    const full = new Server(100, [{ takes: 0, fails: 507 }]);
    await expect(send(full)).rejects.toMatchObject({ status: 507 });
    expect([...refuses.waited, ...full.waited]).toEqual([]);
  });
});

describe('facts of an image', () => {
  const image = {
    format: 'esp_idf' as const,
    chip: 'esp32c3',
    min_revision: 3,
    max_revision: null,
    flash_bytes: 4 << 20,
    flash_mode: 'dio',
    project: 'clock',
    idf_version: 'v5.5',
    elf_sha256: null,
    secure_version: 0,
    signature_blocks: 1,
  };
  const said = (change: object) => imageFacts({ ...image, ...change }).map(({ key, value }) => `${key} ${value}`);

  test('are what is known', () => {
    expect(said({})).toEqual([
      'chip esp32c3',
      'revisions v0.3 – …',
      'flash 4 MiB, dio',
      'project clock',
      'idf v5.5',
      'secure_version 0',
      'signatures 1',
    ]);
    expect(said({ format: 'raw', chip: 'nrf52840', project: null })).toEqual(['chip nrf52840']);
    expect(imageFacts(null)).toEqual([]);
  });
});
