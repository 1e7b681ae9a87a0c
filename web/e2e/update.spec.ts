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
  const seen = await bars(owner);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));

  await owner.getByRole('button', { name: 'Fine' }).click();
  await expect(owner.getByText('Everything is up to date')).toBeVisible();
  await owner.getByRole('link', { name: 'History' }).click();
  await expect(owner.getByText('1.0.5 installed')).toBeVisible();
  await expect(owner.getByText('From 1.0.4.')).toBeVisible();
});

test('a version that does not work is left, with the reason and another try', async ({ owner, server }) => {
  await server.publish('1.0.5', 'bad');
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('heading', { name: 'The old version was kept' })).toBeVisible();
  await expect(owner.getByText('Nothing is lost')).toBeVisible();
  await expect(owner.getByText('did not work well enough when it tested itself')).toBeVisible();
  await expect(owner.getByText('Version 1.0.4')).toBeVisible();

  await owner.getByRole('button', { name: 'Try again' }).click();
  await expect(owner.getByRole('progressbar')).toBeVisible();
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
  await owner.reload();
  await owner.getByRole('button', { name: 'Not yet' }).click();
  await expect(owner.getByRole('heading', offer)).toBeVisible();
  await owner.getByRole('button', { name: 'Later' }).click();
  await expect(owner.getByRole('heading', { name: /1\.0\.5 is put off until/ })).toBeVisible();
  await owner.getByRole('button', { name: 'Install now' }).click();
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
});

test('the time zone of the phone is the first of the device', async ({ owner }) => {
  await owner.getByRole('link', { name: 'Settings' }).click();
  await expect(owner.getByLabel('Time zone')).toHaveValue('Europe/Berlin');
});

test('an update is stopped while that is possible', async ({ page, owner, server }) => {
  await server.unplug(THING);
  await server.plugIn(THING, '--link-kbps', '800');
  await server.publish();
  await page.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Downloading' })).toBeVisible();
  await expect(page.getByText('Keep the device plugged in.')).toBeVisible();
  await expect(page.getByText(/about .* left/)).toBeVisible();
  await page.getByRole('button', { name: 'Stop the update' }).click();
  await expect(page.getByText('You stopped this update.')).toBeVisible();
  await expect(owner.getByRole('heading', offer)).toBeVisible();
});

test('a device that is away is waited for, without haste', async ({ owner, server }) => {
  await server.unplug(THING);
  await expect(owner.getByText('Not connected')).toBeVisible();
  await server.publish();
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('heading', { name: 'Waiting for the device' })).toBeVisible();
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
