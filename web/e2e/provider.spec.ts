import type { Page } from '@playwright/test';

import { Provider } from './harness/provider.ts';
import { EMAIL, expect, PASSWORD, signIn, test as base, THING } from './harness/test.ts';

const test = base.extend<{ provider: Provider }>({
  provider: async ({ server }, use) => {
    // The server's address is known once it ran; it stays the same.
    const provider = await Provider.start(server.url);
    try {
      await server.stop();
      await server.start(provider.environment);
      await use(provider);
    } finally {
      provider.end();
    }
  },
});

/** Somebody types a name into the provider's own pages, and lets the server know who they are. */
async function proveAt(provider: Provider, page: Page, name: string): Promise<void> {
  await page.waitForURL(`${provider.issuer}/**`);
  await page.locator('input[name=login]').fill(name);
  await page.locator('input[name=password]').fill('anything');
  await page.locator('button[type=submit]').click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

test('somebody signs in with a provider, and out again there too', async ({ page, server, provider }) => {
  await page.goto(`${server.url}/`);
  await expect(page.getByRole('button', { name: 'Sign in with Example ID' })).toBeVisible();
  await page.screenshot({ path: 'test-results/provider-door.png', fullPage: true });
  await page.getByRole('button', { name: 'Sign in with Example ID' }).click();
  await proveAt(provider, page, 'grace');
  await expect(page.getByRole('heading', { name: 'No devices yet' })).toBeVisible();

  await page.goto(`${server.url}/account`);
  await expect(page.getByText('grace@example.org').first()).toBeVisible();
  await expect(page.getByText('example', { exact: true })).toBeVisible();
  await page.screenshot({ path: 'test-results/provider-account.png', fullPage: true });
  await page.getByRole('button', { name: 'Unlink example' }).click();
  await expect(page.getByText('Nothing else would let you in.')).toBeVisible();

  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.waitForURL(`${provider.issuer}/**`);
  await page.getByRole('button', { name: /sign me out/i }).click();
  await page.waitForURL(`${server.url}/**`);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

test('an owner links a provider and comes in by it', async ({ owner, server, provider }) => {
  // The server was started anew behind the page.
  await owner.goto(`${server.url}/account`);
  await owner.getByRole('button', { name: 'Link Example ID' }).click();
  await proveAt(provider, owner, 'ada-at-id');
  await expect(owner.getByText('ada-at-id@example.org')).toBeVisible();
  // This session was opened with a password: nothing is signed out elsewhere.
  await owner.getByRole('button', { name: 'Sign out', exact: true }).click();
  await expect(owner.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await owner.getByRole('button', { name: 'Sign in with Example ID' }).click();
  // The provider still knows them.
  await expect(owner.getByRole('heading', { level: 1, name: THING })).toBeVisible();
});

test('a sign-in that was given up is told on the page', async ({ page, server, provider }) => {
  await page.goto(`${server.url}/console`);
  await page.getByRole('button', { name: 'Sign in with Example ID' }).click();
  await page.waitForURL(`${provider.issuer}/**`);
  await page.getByRole('link', { name: /cancel/i }).click();
  await page.waitForURL(`${server.url}/console`);
  await expect(page.getByText('The sign-in was not completed.')).toBeVisible();
  await page.screenshot({ path: 'test-results/provider-refused.png', fullPage: true });
});

test('an account is deleted, by password or by proof at the provider', async ({ owner, server, provider }) => {
  await owner.goto(`${server.url}/account`);
  await owner.getByRole('button', { name: 'Delete my account' }).click();
  const dialog = owner.getByRole('dialog');
  await dialog.getByLabel('Current password').fill('wrong password');
  await dialog.getByRole('button', { name: 'Delete my account' }).click();
  await expect(dialog.getByText('That is not your current password.')).toBeVisible();
  await owner.screenshot({ path: 'test-results/provider-delete.png' });
  await dialog.getByLabel('Current password').fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Delete my account' }).click();
  await expect(owner.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await signIn(owner, server, EMAIL);
  await expect(owner.getByRole('alert')).toContainText('do not go together');

  await owner.goto(`${server.url}/`);
  await owner.getByRole('button', { name: 'Sign in with Example ID' }).click();
  await proveAt(provider, owner, 'grace');
  await expect(owner.getByRole('heading', { name: 'No devices yet' })).toBeVisible();
  await owner.goto(`${server.url}/account`);
  await owner.getByRole('button', { name: 'Delete my account' }).click();
  await dialog.getByRole('button', { name: 'Delete my account' }).click();
  await dialog.getByRole('button', { name: 'Prove that it is you' }).click();
  await owner.waitForURL(`${provider.issuer}/**`);
  await owner.locator('input[name=login]').fill('grace');
  await owner.locator('input[name=password]').fill('anything');
  await owner.locator('button[type=submit]').click();
  await owner.waitForURL(`${server.url}/account`);
  await owner.getByRole('button', { name: 'Delete my account' }).click();
  await dialog.getByRole('button', { name: 'Delete my account' }).click();
  await expect(owner.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});
