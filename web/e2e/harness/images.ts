import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Process } from './process.ts';

/** What the simulated devices run: made once for all tests by the program itself. */
export const OLD = '1.0.4';
export const NEW = '1.0.5';

/** Firmware images: the old one, a good new one, and one that fails its self-test. */
export function images(): { old: string; good: string; bad: string } {
  const folder = process.env.OTARU_E2E_IMAGES;
  if (!folder) throw new Error('the images are made by the global set-up');
  return {
    old: join(folder, 'good/images/clock-1.0.4.bin'),
    good: join(folder, 'good/images/clock-1.0.5.bin'),
    bad: join(folder, 'bad/images/clock-1.0.5.bin'),
  };
}

/** An image of the same code that calls itself another version. */
export async function relabelled(image: string, from: string, to: string): Promise<Buffer> {
  const bytes = await readFile(image);
  const [old, label] = [from, to].map((text) => Buffer.from(`${text}\0`, 'latin1')) as [Buffer, Buffer];
  const at = bytes.indexOf(old);
  if (at < 0 || old.length !== label.length) throw new Error(`${image} does not call itself ${from}`);
  label.copy(bytes, at);
  // The checksum is the XOR of all segments and stands before the hash of everything.
  const end = bytes.length - 32;
  bytes[end - 1] = [...old, ...label].reduce((sum, byte) => sum ^ byte, bytes[end - 1] ?? 0);
  createHash('sha256').update(bytes.subarray(0, end)).digest().copy(bytes, end);
  return bytes;
}

export default async function globalSetUp(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'otaru-images-'));
  process.env.OTARU_E2E_IMAGES = folder;
  const demos = [['--data', join(folder, 'good')], ['--data', join(folder, 'bad'), '--bad-release']].map(async (args) => {
    const demo = new Process(['demo', '--auto', '--devices', '1', ...args]);
    if ((await demo.ended()) !== 0) throw new Error(`the demo that makes the images failed:\n${demo.output}`);
  });
  await Promise.all(demos);
  for (const image of Object.values(images())) if (!existsSync(image)) throw new Error(`the demo left no ${image}`);
  return () => rm(folder, { recursive: true, force: true });
}
