import { expect, test } from './harness/console.ts';

const THING = 'clock-01';

test('an update is asked for, watched and remembered', async ({ admin, server }) => {
  await server.addDevice(THING);
  await server.plugIn(THING, '--link-kbps', '6000');
  await server.publish();
  await admin.goto(`${server.url}/console/devices/${THING}`);
  await expect(admin.getByText('No update has been asked for yet.')).toBeVisible();
  await admin.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(admin.getByRole('progressbar')).toBeVisible();

  const track = admin.getByRole('list').filter({ hasText: 'downloading' });
  await expect(track.getByRole('listitem').filter({ hasText: 'confirmed' })).toContainText('passed');
  await expect(track.getByRole('listitem').filter({ hasText: 'downloading' }).locator('time')).toBeVisible();
  // Read again, the page knows them as well: they are the server's.
  await admin.reload();
  await expect(track.getByRole('listitem').filter({ hasText: 'downloading' }).locator('time')).toBeVisible();
  await admin.getByText(/^\d+ steps$/).click();
  await expect(admin.getByRole('table', { name: 'Steps of the update' })).toContainText('restarting');
  const history = admin.getByRole('table', { name: 'History' });
  await expect(history).toContainText('1.0.4 → 1.0.5');
  await expect(history).toContainText('confirmed');
  await expect(admin.getByText('ota_1', { exact: true })).toBeVisible();
  await expect(admin.getByRole('region', { name: 'Records' })).toContainText('update to 1.0.5');

  await admin.getByRole('link', { name: 'Updates' }).click();
  await expect(admin.getByRole('row', { name: THING })).toContainText('confirmed');
});

test('an update is stopped, and one that cannot be asked for is refused in place', async ({ admin, server }) => {
  await server.addDevice(THING);
  await server.plugIn(THING, '--link-kbps', '300');
  await server.publish();
  await admin.goto(`${server.url}/console/devices/${THING}`);
  await admin.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(admin.getByRole('progressbar')).toBeVisible();
  await admin.getByRole('button', { name: 'Stop the update' }).click();
  await expect(admin.getByRole('table', { name: 'History' })).toContainText('cancelled');

  await server.otaru('release', 'yank', '1.0.5', '--product', 'clock', '--yes');
  await admin.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(admin.getByRole('alert')).toContainText('release_yanked');
});

test('what is desired is edited under the eyes of the shadow service', async ({ admin, server }) => {
  await server.addDevice(THING);
  await server.plugIn(THING);
  await admin.goto(`${server.url}/console/devices/${THING}`);
  const shadow = admin.getByRole('region', { name: 'Shadow' });
  const edit = shadow.getByRole('button', { name: 'Edit desired' });
  const text = shadow.getByRole('textbox', { name: 'desired' });
  const send = shadow.getByRole('button', { name: 'Send' });
  await edit.click();
  await text.fill('{ "config": ');
  await send.click();
  await expect(admin.getByRole('alert')).toContainText('line 1, column 13');

  await text.fill('{"lamp": {"colour": "amber"}}');
  await send.click();
  await expect(shadow.getByRole('region', { name: 'delta' })).toContainText('amber');

  // Somebody else changes the shadow meanwhile: the service refuses, the person begins again from what is there.
  await edit.click();
  await server.otaru('shadow', 'set', THING, '{"state":{"desired":{"lamp":{"level":7}}}}');
  await text.fill('{"lamp": {"colour": "blue"}}');
  await send.click();
  await expect(admin.getByRole('alert')).toContainText('Version conflict');
  await shadow.getByRole('button', { name: 'Begin again' }).click();
  await expect(text).toHaveValue(/"level": 7/);
  await text.fill('{"lamp": {"level": 7}}');
  await send.click();
  await expect(shadow.getByRole('region', { name: 'desired' })).not.toContainText('amber');

  await edit.click();
  await text.fill(`{"deep": ${'{"a":'.repeat(12)}1${'}'.repeat(12)}}`);
  await send.click();
  await expect(admin.getByRole('alert')).toContainText('too many levels of nesting');
});

test('a claim code is shown once, as text and as a picture', async ({ admin, server }) => {
  await server.addDevice(THING);
  await admin.goto(`${server.url}/console/devices/${THING}`);
  await admin.getByRole('button', { name: 'Make a claim code' }).click();
  const code = await admin.getByRole('textbox', { name: 'Claim code' }).inputValue();
  expect(code).toMatch(/^[A-Z0-9-]{8,}$/);
  await expect(admin.getByRole('img', { name: `claim ${THING}` })).toBeVisible();
  await expect(admin.getByText(`/claim#${code}`)).toBeVisible();
  await admin.reload();
  await expect(admin.getByRole('button', { name: 'Make a claim code' })).toBeVisible();
  await expect(admin.getByText(code)).toHaveCount(0);

  const claimed = await admin.request.post(`${server.url}/app/devices/claim`, { data: { code }, headers: { origin: server.url } });
  expect(claimed.status()).toBe(200);
});
