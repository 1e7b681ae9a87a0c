import { images } from './harness/images.ts';
import { expect, signElsewhere, test } from './harness/console.ts';

test('a release is uploaded with its manifest, and withdrawn', async ({ admin, server }) => {
  const manifest = await signElsewhere(server, images().good, '1.0.5');
  await admin.goto(`${server.url}/console/releases`);
  await expect(admin).toHaveURL(/\/console\/releases\/clock$/);
  await expect(admin.getByText('No releases yet')).toBeVisible();
  await admin.getByRole('button', { name: 'Upload a release' }).click();
  await admin.getByLabel('Image').setInputFiles(images().good);
  await admin.getByLabel('Signed manifest').setInputFiles(manifest);
  await admin.getByLabel('Notes for owners, English').fill('Quieter at night.');
  await admin.getByLabel('Notes for owners, 日本語').fill('夜は静かに。');
  await admin.getByRole('button', { name: 'Publish', exact: true }).click();

  // What the server read, not what was typed.
  const facts = admin.getByRole('region', { name: '1.0.5 is published' });
  await expect(facts).toContainText('1,500,000 bytes');
  await expect(facts).toContainText(/[0-9a-f]{64}/);
  await expect(facts).toContainText('Quieter at night.');
  await expect(facts).toContainText('esp32c3');
  await expect(facts).toContainText('4 MiB, dio');
  const row = admin.getByRole('row', { name: /^1\.0\.5/ });
  await expect(row).toContainText('stable');

  await row.getByRole('button', { name: 'Yank 1.0.5' }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Leave it' }).click();
  await row.getByRole('button', { name: 'Yank 1.0.5' }).click();
  await admin.getByRole('dialog').getByLabel('Reason').fill('Gets hot');
  await admin.getByRole('dialog').getByRole('button', { name: 'Yank', exact: true }).click();
  await expect(row).toContainText('yanked');
  const yanked = admin.getByRole('region', { name: '1.0.5 is yanked' });
  await expect(yanked).toContainText('Gets hot');
  await expect(yanked).toContainText('no device');
  await expect(row.getByRole('button', { name: 'Yank 1.0.5' })).toHaveCount(0);

  await row.getByRole('button', { name: 'Delete 1.0.5' }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(admin.getByRole('dialog')).toHaveCount(0);
  await expect(row).toContainText('yanked');
});

test('a draft with its bill of materials is uploaded over a restart of the server, and published', async ({ admin, server }) => {
  const manifest = await signElsewhere(server, images().good, '1.0.5');
  await admin.goto(`${server.url}/console/releases/clock`);
  await admin.getByRole('button', { name: 'Upload a release' }).click();
  await admin.getByLabel('Image').setInputFiles(images().good);
  await admin.getByLabel('Signed manifest').setInputFiles(manifest);
  const sbom = Buffer.from('{"bomFormat":"CycloneDX","specVersion":"1.6"}');
  await admin.getByLabel('Bill of materials').setInputFiles({ name: 'bom.json', mimeType: 'application/json', buffer: sbom });
  await admin.getByLabel('Keep it as a draft').check();
  // The first piece of the image finds the server gone.
  let pieces = 0;
  await admin.route('**/api/v1/uploads/*', async (route) => {
    if (route.request().method() === 'PATCH' && pieces++ === 0) {
      await server.stop('SIGKILL');
      await route.abort();
      await server.start();
    } else await route.continue();
  });
  await admin.getByRole('button', { name: 'Publish', exact: true }).click();
  const facts = admin.getByRole('region', { name: '1.0.5 is a draft' });
  await expect(facts).toContainText('CycloneDX 1.6', { timeout: 30_000 });
  expect(pieces).toBeGreaterThan(1);

  const row = admin.getByRole('row', { name: /^1\.0\.5/ });
  await expect(row).toContainText('draft');
  await row.getByRole('button', { name: 'Publish 1.0.5' }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Publish', exact: true }).click();
  await expect(admin.getByRole('region', { name: '1.0.5 is published' })).toBeVisible();
  await expect(row).not.toContainText('draft');
});

test('what cannot run on the product is refused in place, with what was found and expected', async ({ admin, server }) => {
  const manifest = await signElsewhere(server, images().good, '1.0.5');
  await admin.goto(`${server.url}/console/releases/clock`);
  await admin.getByRole('button', { name: 'Upload a release' }).click();
  const publish = admin.getByRole('button', { name: 'Publish', exact: true });
  const refusal = admin.getByRole('alert');

  await admin.getByLabel('Image').setInputFiles({ name: 'notes.bin', mimeType: 'text/plain', buffer: Buffer.from('no firmware') });
  await admin.getByLabel('Signed manifest').setInputFiles(manifest);
  await publish.click();
  await expect(refusal).toContainText('not_esp_image');
  await expect(refusal).toContainText('Found');

  await admin.getByLabel('Image').setInputFiles(images().old);
  await publish.click();
  await expect(refusal).toContainText('manifest_mismatch');
  await expect(refusal).toContainText('Expected');

  await admin.getByLabel('Signed manifest').setInputFiles({ name: 'x.manifest', mimeType: 'application/cbor', buffer: Buffer.from('x') });
  await publish.click();
  await expect(refusal).toContainText('manifest_');
  await admin.getByRole('button', { name: 'Discard' }).click();
  await expect(admin.getByText('No releases yet')).toBeVisible();
});
