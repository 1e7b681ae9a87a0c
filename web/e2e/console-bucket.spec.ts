import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Bucket } from './harness/bucket.ts';
import { expect, test as base } from './harness/console.ts';
import { images } from './harness/images.ts';

const test = base.extend<{ bucket: Bucket }>({
  bucket: async ({ server }, use) => {
    const bucket = await Bucket.start();
    await server.stop();
    await server.start(bucket.environment);
    await use(bucket);
    bucket.end();
  },
});

test('an image that is dropped into the bucket shows by itself, and goes once it is signed', async ({ bucket, admin, server }) => {
  await admin.goto(`${server.url}/console/releases/clock`);
  await expect(admin.getByText('No releases yet')).toBeVisible();
  const table = admin.getByRole('table', { name: 'Dropped into the bucket' });
  await expect(table).toHaveCount(0);

  // Nothing is loaded again from here on.
  await bucket.put('firmware/clock/1.0.5.bin', await bytes(images().good));
  await server.otaru('release', 'waiting', '--look');
  const waiting = table.getByRole('row', { name: /^firmware\/clock\/1\.0\.5\.bin/ });
  await expect(waiting).toContainText('Waits for its signature');
  await expect(waiting).toContainText('1.5 MB');
  await expect(waiting).toContainText('otaru release publish --waiting --product clock --version 1.0.5 --key release.key');

  await bucket.put('firmware/lamp/1.0.5.bin', await bytes(images().good));
  await server.otaru('release', 'waiting', '--look');
  const refused = table.getByRole('row', { name: /^firmware\/lamp\/1\.0\.5\.bin/ });
  await expect(refused).toContainText('Refused');
  await expect(refused).toContainText('product_unknown');

  const key = join(server.folder, 'keys/release.key');
  await server.otaru('release', 'publish', '--waiting', '--product', 'clock', '--version', '1.0.5', '--key', key);
  await expect(waiting).toHaveCount(0);
  await expect(refused).toBeVisible();
  await expect(admin.getByRole('table', { name: 'Releases' }).getByRole('row', { name: /^1\.0\.5/ })).toContainText('stable');
});

const bytes = async (path: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await readFile(path));
