import { becomeInvited } from './harness/console.ts';
import { expect, test } from './harness/test.ts';

const DESK = { viewport: { width: 1280, height: 900 } };

test('a release waits until another person approves it, and its owner hears of it then', async ({ owner, server, browser }) => {
  const desk = await browser.newContext(DESK);
  const page = await desk.newPage();
  await becomeInvited(page, server, 'publisher');
  await page.goto(`${server.url}/console/products/clock`);
  await page.getByRole('switch', { name: 'A second person approves each release' }).click();
  // Only administrators do without it.
  await expect(page.getByText('A second person approves each release.')).toBeVisible();
  await server.publish();

  await page.goto(`${server.url}/console/releases/clock`);
  const row = page.getByRole('row', { name: /^1\.0\.5/ });
  await expect(row).toContainText('waiting');
  await row.getByRole('button', { name: 'Details of 1.0.5' }).click();
  await expect(page.getByRole('region', { name: '1.0.5 waits for approval' })).toContainText('Published by a program.');
  await owner.reload();
  await expect(owner.getByText('Everything is up to date')).toBeVisible();

  await row.getByRole('button', { name: 'Approve 1.0.5' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Comment').fill('Runs on my desk');
  await dialog.getByRole('button', { name: 'Approve', exact: true }).click();
  const facts = page.getByRole('region', { name: '1.0.5 is published' });
  await expect(facts).toContainText('Approved by publisher@example.org.');
  await expect(facts).toContainText('Runs on my desk');
  await expect(owner.getByRole('heading', { name: '1.0.5 can be installed' })).toBeVisible();
  await desk.close();
});

test('what is rejected is so for good', async ({ server, page }) => {
  await becomeInvited(page, server, 'publisher');
  await server.otaru('product', 'approval', 'clock', 'on');
  await server.publish();
  await page.setViewportSize(DESK.viewport);
  await page.goto(`${server.url}/console/releases/clock`);
  const row = page.getByRole('row', { name: /^1\.0\.5/ });
  await row.getByRole('button', { name: 'Reject 1.0.5' }).click();
  await page.getByRole('dialog').getByLabel('Comment').fill('Gets hot');
  await page.getByRole('dialog').getByRole('button', { name: 'Reject', exact: true }).click();
  await expect(row).toContainText('rejected');
  const facts = page.getByRole('region', { name: '1.0.5 is rejected' });
  await expect(facts).toContainText('Gets hot');
  for (const what of ['Approve', 'Reject', 'Publish', 'Delete']) {
    await expect(row.getByRole('button', { name: `${what} 1.0.5` })).toHaveCount(0);
  }
  await expect(server.otaru('release', 'approve', '1.0.5', '--product', 'clock')).rejects.toThrow('acts for no person');
});
