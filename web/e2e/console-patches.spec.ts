import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from './harness/console.ts';
import { images, relabelled } from './harness/images.ts';

test('the patches to a release are listed as they come along', async ({ admin, server }) => {
  const key = join(server.folder, 'keys/release.key');
  const publish = (file: string, version: string) =>
    server.otaru('release', 'publish', file, '--product', 'clock', '--version', version, '--key', key);
  await publish(images().old, '1.0.4');
  await server.addDevice('clock-01');
  await server.plugIn('clock-01');
  await admin.goto(`${server.url}/console/releases/clock`);

  // Of other code: it comes with its packed image alone.
  await publish(images().good, '1.0.5');
  await admin.getByRole('row', { name: /^1\.0\.5/ }).getByRole('button', { name: 'Details of 1.0.5' }).click();
  let table = admin.getByRole('table', { name: 'Patches to 1.0.5' });
  await expect(table.getByRole('row', { name: /^packed image/ })).toContainText('ready');
  const tooLarge = table.getByRole('row', { name: /^1\.0\.4/ });
  await expect(tooLarge).toContainText('not made');
  await expect(tooLarge).toContainText('it would save too little');

  // Of the same code: little differs. What is shown changes by itself while it is made.
  const similar = join(server.folder, 'similar.bin');
  await writeFile(similar, await relabelled(images().old, '1.0.4', '1.0.6'));
  await publish(similar, '1.0.6');
  await admin.getByRole('row', { name: /^1\.0\.6/ }).getByRole('button', { name: 'Details of 1.0.6' }).click();
  table = admin.getByRole('table', { name: 'Patches to 1.0.6' });
  await expect(table.getByRole('columnheader', { name: 'Of 1.5 MB' })).toBeVisible();
  const packed = table.getByRole('row', { name: /^packed image/ });
  const patch = table.getByRole('row', { name: /^1\.0\.4 lzma-4k/ });
  await expect(packed).toContainText('ready');
  await expect(patch).toContainText('ready');
  await expect(packed).toContainText(/\d\d%/);
  await expect(patch).toContainText(/0\.\d+%/);
});
