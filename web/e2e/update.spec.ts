import { openAsBlob } from 'node:fs';

import { findings } from './harness/axe.ts';
import { signElsewhere } from './harness/console.ts';
import { images } from './harness/images.ts';
import { bars, expect, recordBars, test, THING } from './harness/test.ts';

const offer = { name: '1.0.5 can be installed' };

test('a new version is offered live, installed, watched and remembered', async ({ owner, server }) => {
  await expect(owner.getByText('Everything is up to date')).toBeVisible();
  await server.publish();
  await expect(owner.getByRole('heading', offer)).toBeVisible();
  await expect(owner.getByText('Winter time comes on the right day.')).toBeVisible();
  await expect(owner.getByText(/1\.5 MB/)).toBeVisible();

  await recordBars(owner);
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
  await expect(owner.getByText('Version 1.0.5')).toBeVisible();
  expect(await findings(owner)).toEqual([]);
  const seen = await bars(owner);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));

  await owner.getByRole('button', { name: 'Fine' }).click();
  await expect(owner.getByText('Everything is up to date')).toBeVisible();
  await owner.getByRole('link', { name: 'History' }).click();
  await expect(owner.getByText('1.0.5 installed')).toBeVisible();
  await expect(owner.getByText('From 1.0.4.')).toBeVisible();
  expect(await findings(owner)).toEqual([]);
});

test('a version that does not work is left, with the reason and another try', async ({ owner, server }) => {
  await server.publish('1.0.5', 'bad');
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('heading', { name: 'The old version was kept' })).toBeVisible();
  await expect(owner.getByText('Nothing is lost')).toBeVisible();
  await expect(owner.getByText('did not work well enough when it tested itself')).toBeVisible();
  await expect(owner.getByText('Version 1.0.4')).toBeVisible();
  expect(await findings(owner)).toEqual([]);

  await recordBars(owner);
  await owner.getByRole('button', { name: 'Try again' }).click();
  await expect.poll(async () => (await bars(owner)).length).toBeGreaterThan(0);
  await expect(owner.getByRole('heading', { name: 'The old version was kept' })).toBeVisible();
  await owner.getByRole('button', { name: 'Leave it as it is' }).click();
  await expect(owner.getByRole('heading', offer)).toBeVisible();
  await owner.getByRole('link', { name: 'History' }).click();
  await expect(owner.getByText('1.0.5 tried, old version kept')).toHaveCount(2);
});

test('tonight and later are decisions that can be taken back', async ({ owner, server }) => {
  await server.publish();
  await owner.getByRole('button', { name: 'Tonight' }).click();
  await expect(owner.getByRole('heading', { name: /1\.0\.5 is put off until .*0?2:00/ })).toBeVisible();
  await expect(owner.getByText('It is installed by itself then')).toBeVisible();
  expect(await findings(owner)).toEqual([]);
  await owner.reload();
  await owner.getByRole('button', { name: 'Not yet' }).click();
  await expect(owner.getByRole('heading', offer)).toBeVisible();
  await owner.getByRole('button', { name: 'Later' }).click();
  await expect(owner.getByRole('heading', { name: /1\.0\.5 is put off until/ })).toBeVisible();
  await expect(owner.getByText('You are asked again then')).toBeVisible();
  await owner.getByRole('button', { name: 'Install now' }).click();
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
});

test('the time zone of the phone is the first of the device', async ({ owner }) => {
  await owner.getByRole('link', { name: 'Settings' }).click();
  await expect(owner.getByLabel('Time zone')).toHaveValue('Europe/Berlin');
});

test('an update is stopped while that is possible', async ({ page, owner, server }) => {
  await server.unplug(THING);
  await server.plugIn(THING, '--link-kbps', '400');
  await server.publish();
  await page.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Downloading' })).toBeVisible();
  await expect(page.getByText('Keep the device plugged in.')).toBeVisible();
  await expect(page.getByText(/about .* left/)).toBeVisible();
  expect(await findings(page)).toEqual([]);
  await page.getByRole('button', { name: 'Stop the update' }).click();
  await expect(page.getByText('This update was stopped.')).toBeVisible();
  await expect(owner.getByRole('heading', offer)).toBeVisible();
});

test('a device that is away is waited for, without haste', async ({ owner, server }) => {
  await server.unplug(THING);
  await expect(owner.getByText('Not connected')).toBeVisible();
  await server.publish();
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('heading', { name: 'Waiting for the device' })).toBeVisible();
  expect(await findings(owner)).toEqual([]);
  await expect(owner.getByText(/1\.0\.5 was asked for .*ago/)).toBeVisible();
  await server.plugIn(THING);
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
});

test('who wants new versions at once is asked no more', async ({ owner, server }) => {
  await owner.getByRole('link', { name: 'New versions' }).click();
  await owner.getByRole('radio', { name: 'At once' }).check();
  await expect(owner.getByRole('radio', { name: 'At once' })).toBeChecked();
  await owner.goBack();
  await expect(owner.getByText('installed as soon as it is there')).toBeVisible();
  await server.publish();
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
  await owner.getByRole('link', { name: 'History' }).click();
  await expect(owner.getByText('Started by itself.')).toBeVisible();
});

test('a version that the maker takes back is offered no more', async ({ owner, server }) => {
  await server.publish();
  await expect(owner.getByRole('heading', offer)).toBeVisible();
  await server.otaru('release', 'yank', '1.0.5', '--product', 'clock', '--yes');
  await owner.reload();
  await expect(owner.getByText('Everything is up to date')).toBeVisible();
});

test('what the maker decides is said instead of asked', async ({ owner, server }) => {
  await server.api('PUT', '/api/v1/products/clock/consent', { mode: 'night' });
  await owner.reload();
  await expect(owner.getByText('A new version is installed at night.')).toBeVisible();
  await owner.getByRole('link', { name: 'New versions' }).click();
  await expect(owner.getByText('The maker of this device decides')).toBeVisible();
  await expect(owner.getByRole('radio')).toHaveCount(0);
  await server.publish();
  await owner.goBack();
  await expect(owner.getByRole('heading', { name: /1\.0\.5 is put off until/ })).toBeVisible();
  await expect(owner.getByText('It is installed by itself then')).toBeVisible();
});

test('a version that is urgent says why, and by when, in the language of its reader', async ({ owner, server }) => {
  const form = new FormData();
  const manifest = await signElsewhere(server, images().good, '1.0.5');
  form.set('image', await openAsBlob(images().good), 'image');
  form.set('manifest', await openAsBlob(manifest), 'manifest');
  form.set('notes_by_language', JSON.stringify({ en: 'Repairs the charger.', de: 'Das Laden ist repariert.' }));
  form.set('safety', JSON.stringify({ deadline_hours: 72, reason: { en: 'The battery can overheat.', de: 'Der Akku kann heiß werden.' } }));
  await server.upload('/api/v1/products/clock/releases', form);
  await expect(owner.getByRole('heading', offer)).toBeVisible();
  await expect(owner.getByText('The battery can overheat.')).toBeVisible();
  await expect(owner.getByText(/installed at night from .* on/)).toBeVisible();
  await owner.getByRole('button', { name: 'Later' }).click();
  await expect(owner.getByRole('heading', { name: /1\.0\.5 is put off until/ })).toBeVisible();
  await expect(owner.getByText(/installed at night from .* on/)).toBeVisible();
  await owner.getByRole('button', { name: 'Tonight' }).click();
  await owner.getByRole('button', { name: 'Not yet' }).click();
  await expect(owner.getByRole('heading', offer)).toBeVisible();
  await owner.getByRole('link', { name: 'Your account' }).click();
  await owner.getByLabel('Language of this app').selectOption('de');
  await expect(owner.getByRole('heading', { level: 1, name: 'Ihr Konto' })).toBeVisible();
  await owner.goto(`${server.url}/`);
  await expect(owner.getByText('Der Akku kann heiß werden.')).toBeVisible();
  await expect(owner.getByText('Das Laden ist repariert.')).toBeVisible();
});
