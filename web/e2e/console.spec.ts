import { EMAIL, expect, PASSWORD, test } from './harness/test.ts';
import { until } from './harness/process.ts';

test('an administrator signs in to the console and out of it', async ({ page, server }) => {
  const link = await until('the set-up link', () => /\/setup#(\S+)/.exec(server.output)?.[0]);
  await page.goto(server.url + link);
  await page.getByLabel('E-mail address').fill(EMAIL);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Set up' }).click();
  await expect(page.getByRole('heading', { name: 'No devices yet' })).toBeVisible();

  await page.goto(`${server.url}/console`);
  await expect(page.getByText(`${EMAIL}, administrator`)).toBeVisible();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('E-mail address').fill(EMAIL);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText(`${EMAIL}, administrator`)).toBeVisible();
});

test('an owner who comes to the console is shown the way', async ({ owner, server }) => {
  await owner.goto(`${server.url}/console`);
  await expect(owner.getByRole('link', { name: "To the owner's app" })).toBeVisible();
});
