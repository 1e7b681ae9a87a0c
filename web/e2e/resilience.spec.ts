import { bars, expect, recordBars, signIn, test, THING } from './harness/test.ts';
import type { Server } from './harness/server.ts';
import type { Page } from '@playwright/test';

/** An update that takes long enough to disturb it. */
async function beginSlowly(page: Page, server: Server): Promise<void> {
  await server.unplug(THING);
  await server.plugIn(THING, '--link-kbps', '1200');
  await server.publish();
  await page.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Downloading' })).toBeVisible();
}

const done = { name: '1.0.5 is installed' };

test('a reload and a second phone show the same update', async ({ owner, server, browser }) => {
  await beginSlowly(owner, server);
  server.hold(THING);
  const before = Number(await owner.getByRole('progressbar').getAttribute('aria-valuenow'));
  await owner.reload();
  const bar = owner.getByRole('progressbar');
  expect(Number(await bar.getAttribute('aria-valuenow'))).toBeGreaterThanOrEqual(before);
  const second = await (await browser.newContext({ locale: 'en-GB' })).newPage();
  await signIn(second, server);
  await expect(second.getByRole('progressbar')).toBeVisible();
  await second.getByRole('link', { name: 'Settings' }).click();
  await second.getByLabel('Name').fill('Kitchen');
  await second.getByRole('button', { name: 'Save' }).click();
  await expect(owner.getByRole('heading', { level: 1, name: 'Kitchen' })).toBeVisible();
  await second.goBack();
  server.goOn(THING);
  for (const page of [owner, second]) await expect(page.getByRole('heading', done)).toBeVisible();
  await second.context().close();
});

test('a server that restarts in the middle loses nothing', async ({ owner, server }) => {
  await recordBars(owner);
  await beginSlowly(owner, server);
  await server.stop('SIGKILL');
  await expect(owner.getByRole('status').filter({ hasText: 'No connection' })).toBeVisible();
  await expect(owner.getByRole('progressbar')).toBeVisible();
  await server.start();
  await expect(owner.getByRole('status').filter({ hasText: 'No connection' })).toHaveCount(0);
  await expect(owner.getByRole('heading', done)).toBeVisible();
  const seen = await bars(owner);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test('a lost network shows what was last known, then catches up', async ({ owner, server, context }) => {
  await context.setOffline(true);
  await expect(owner.getByRole('status').filter({ hasText: 'No connection' })).toBeVisible();
  await server.publish();
  await expect(owner.getByText('Everything is up to date')).toBeVisible();
  await context.setOffline(false);
  await expect(owner.getByRole('heading', { name: '1.0.5 can be installed' })).toBeVisible();
  await expect(owner.getByRole('status').filter({ hasText: 'No connection' })).toHaveCount(0);
});

test('the app opens without a network and changes nothing then', async ({ owner, server, context }) => {
  await server.publish();
  await expect(owner.getByRole('heading', { name: '1.0.5 can be installed' })).toBeVisible();
  await owner.evaluate(() => navigator.serviceWorker.ready);
  await context.setOffline(true);
  await owner.reload();
  await expect(owner.getByRole('heading', { name: '1.0.5 can be installed' })).toBeVisible();
  await expect(owner.getByRole('status').filter({ hasText: 'No connection' })).toBeVisible();
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('alert')).toContainText('Nothing was changed');
  await context.setOffline(false);
  await expect(owner.getByRole('status').filter({ hasText: 'No connection' })).toHaveCount(0);
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('heading', done)).toBeVisible();
});
