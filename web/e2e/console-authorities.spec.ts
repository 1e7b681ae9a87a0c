import { becomeInvited, expect, test } from './harness/console.ts';

test("another authority of the server's own signs, and the old one is retired", async ({ admin, server }) => {
  await server.addDevice('clock-01');
  await admin.goto(`${server.url}/console`);
  await admin.getByRole('link', { name: 'Authorities', exact: true }).click();
  const own = admin.getByRole('region', { name: "The server's own authority" });
  const row = (state: string) => own.getByRole('row').filter({ hasText: state });
  await expect(row('signs')).toContainText('Otaru authority');
  await expect(row('signs').getByRole('cell', { name: '1', exact: true })).toBeVisible();
  await expect(own.getByRole('button', { name: /^Retire/ })).toHaveCount(0);

  const dialog = admin.getByRole('dialog');
  await own.getByRole('button', { name: 'Rotate' }).click();
  await dialog.getByRole('button', { name: 'Rotate' }).click();
  await expect(row('believed').getByRole('cell', { name: '1', exact: true })).toBeVisible();
  await expect(row('signs').getByRole('cell', { name: '1', exact: true })).toHaveCount(0);
  await expect(own.getByRole('button', { name: 'Rotate' })).toHaveCount(0);

  await own.getByRole('button', { name: /^Retire/ }).click();
  await expect(dialog).toContainText('Devices still on it: 1');
  await dialog.getByRole('button', { name: 'Retire', exact: true }).click();
  await expect(dialog).toContainText('server_authority_in_use');
  await dialog.getByRole('switch', { name: 'Retire it all the same' }).check();
  await dialog.getByRole('button', { name: 'Retire', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await expect(row('retired')).toBeVisible();
  await expect(own.getByRole('button', { name: 'Rotate' })).toBeVisible();
  const { items } = await server.api('GET', '/api/v1/server-authorities');
  expect(items.map(({ state }: { state: string }) => state)).toEqual(['retired', 'signs']);
});

test('who manages nobody sees the authorities of devices, and changes none', async ({ page, server }) => {
  await becomeInvited(page, server, 'operator');
  await page.goto(`${server.url}/console/authorities`);
  const authorities = page.getByRole('region', { name: 'Authorities of devices' });
  await expect(authorities).toContainText('None of your own');
  await expect(page.getByRole('region')).toHaveCount(1);
  await expect(page.getByRole('button', { name: 'Rotate' })).toHaveCount(0);
});
