import { becomeInvited, EMAIL, expect, test } from './harness/console.ts';

test('who changed what is listed, found and whole', async ({ admin, server }) => {
  await server.addDevice('clock-01');
  await server.api('POST', '/api/v1/devices/clock-01/revoke', {});
  await admin.goto(`${server.url}/console/audit`);
  const table = admin.getByRole('table', { name: 'Audit' });
  await expect(table.getByRole('row', { name: 'device.revoke' })).toContainText('clock-01');
  await expect(table.getByRole('row', { name: 'user.set_up' })).toContainText(EMAIL);

  await admin.getByLabel('What', { exact: true }).fill('product');
  await admin.getByLabel('What', { exact: true }).press('Enter');
  await expect(table.getByRole('rowheader')).toHaveCount(1);
  await expect(table.getByRole('rowheader')).toContainText('product.create');
  const change = table.getByRole('button', { name: /^Change of entry/ });
  await change.click();
  await expect(admin.getByRole('region', { name: 'After' })).toContainText('"chip": "esp32c3"');
  await admin.getByLabel('To what').fill('no-such-thing');
  await admin.getByLabel('To what').press('Enter');
  await expect(admin.getByText('No entries.')).toBeVisible();

  await admin.getByRole('button', { name: 'Check the log' }).click();
  await expect(admin.getByRole('status').filter({ hasText: 'Whole up to entry' })).toBeVisible();
});

test('a publisher has no such page', async ({ page, server }) => {
  await becomeInvited(page, server, 'publisher');
  await page.goto(`${server.url}/console/audit`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Nothing here');
  await expect(page.getByRole('link', { name: 'Audit' })).toHaveCount(0);
});
