import { codeAt } from './harness/authenticator.ts';
import { becomeInvited, expect, PASSWORD, test } from './harness/console.ts';

test('an administrator sees where somebody is signed in, ends it, and removes a lost second factor', async ({ admin, server, browser }) => {
  const lin = await browser.newContext();
  const page = await lin.newPage();
  await becomeInvited(page, server, 'viewer');
  const here = { headers: { 'sec-fetch-site': 'same-origin' } };
  const begun = await page.request.post(`${server.url}/app/second-factor`, { ...here, data: { password: PASSWORD } });
  const { secret } = (await begun.json()) as { secret: string };
  const set = await page.request.put(`${server.url}/app/second-factor`, { ...here, data: { code: codeAt(secret, Date.now()) } });
  expect(set.status()).toBe(200);

  await admin.goto(`${server.url}/console/people`);
  const open = () => admin.getByRole('button', { name: 'Access of viewer@example.org' }).click();
  await open();
  const dialog = admin.getByRole('dialog');
  await expect(dialog.getByRole('listitem')).toHaveCount(1);
  await expect(dialog).toContainText('Has a second factor.');
  await dialog.getByRole('button', { name: 'Sign out everywhere' }).click();
  await expect(dialog.getByRole('listitem')).toHaveCount(0);
  expect((await page.request.get(`${server.url}/app/user`)).status()).toBe(401);
  await dialog.getByRole('button', { name: 'Remove the second factor' }).click();
  await expect(dialog).toContainText('Has no second factor.');
  const typed = { email: 'viewer@example.org', password: PASSWORD };
  expect((await page.request.post(`${server.url}/app/session`, { data: typed })).status()).toBe(200);
  await lin.close();
});
