import { codeAt, nextCode } from './harness/authenticator.ts';
import { EMAIL, expect, PASSWORD, signIn, test } from './harness/test.ts';

test('an owner sets up a second factor, signs out, and comes in with a code', async ({ owner, server }) => {
  await owner.getByRole('link', { name: 'Your account' }).click();
  await owner.getByRole('button', { name: 'Set up a second factor' }).click();
  await owner.getByLabel('Current password').fill(PASSWORD);
  await owner.getByRole('button', { name: 'Go on' }).click();
  await expect(owner.getByRole('img', { name: 'QR code for an authenticator app' })).toBeVisible();
  const key = (await owner.locator('code.key').textContent()) ?? '';
  await owner.getByLabel('Code', { exact: true }).fill('000000');
  await owner.getByRole('button', { name: 'Confirm' }).click();
  await expect(owner.getByRole('alert')).toContainText('This code is wrong');
  await owner.getByLabel('Code', { exact: true }).fill(codeAt(key, Date.now()));
  await owner.getByRole('button', { name: 'Confirm' }).click();
  const codes = owner.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem');
  await expect(codes).toHaveCount(10);
  const recovery = (await codes.first().textContent()) ?? '';
  await owner.getByRole('button', { name: 'I have written them down' }).click();
  await expect(owner.getByText('Recovery codes left: 10')).toBeVisible();

  await owner.getByRole('button', { name: 'Sign out', exact: true }).click();
  await signIn(owner, server);
  const field = owner.getByLabel('Code', { exact: true });
  await expect(field).toBeFocused();
  await field.fill('111111');
  await owner.getByRole('button', { name: 'Sign in' }).click();
  await expect(owner.getByRole('alert')).toContainText('This code is wrong');
  await field.fill(nextCode(key));
  await owner.getByRole('button', { name: 'Sign in' }).click();
  await expect(owner.getByText('Everything is up to date')).toBeVisible();

  // The phone is lost: a recovery code lets her in.
  await owner.getByRole('link', { name: 'Your account' }).click();
  await owner.getByRole('button', { name: 'Sign out', exact: true }).click();
  await signIn(owner, server);
  await field.fill(recovery);
  await owner.getByRole('button', { name: 'Sign in' }).click();
  await owner.getByRole('link', { name: 'Your account' }).click();
  await expect(owner.getByText('Recovery codes left: 9')).toBeVisible();
  await owner.getByRole('button', { name: 'Remove the second factor' }).click();
  await owner.getByLabel('Current password').fill(PASSWORD);
  await owner.getByRole('button', { name: 'Remove the second factor' }).click();
  await expect(owner.getByRole('button', { name: 'Set up a second factor' })).toBeVisible();
});

test('somebody whose role needs a second factor sets one up before anything else', async ({ page, server }) => {
  const invited = await server.api('POST', '/api/v1/invitations', { email: EMAIL, role: 'publisher' });
  await server.stop();
  await server.start({ OTARU__SECOND_FACTOR__REQUIRED: 'admin,publisher' });
  const link = new URL(String(invited.url));
  await page.goto(`${server.url}${link.pathname}${link.hash}`);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Make my account' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Second factor' })).toBeVisible();
  await page.goto(`${server.url}/console`);
  await expect(page.getByText('Your role needs a second factor')).toBeVisible();
  await page.getByRole('link', { name: 'Set up a second factor' }).click();
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Go on' }).click();
  const key = (await page.locator('code.key').textContent()) ?? '';
  await page.getByLabel('Code', { exact: true }).fill(codeAt(key, Date.now()));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByRole('button', { name: 'I have written them down' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Your account' })).toBeVisible();
  await page.goto(`${server.url}/console`);
  await expect(page.getByRole('link', { name: 'Releases' })).toBeVisible();
});
