import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test as base, type BrowserContext, type Page } from '@playwright/test';

import { until } from './process.ts';
import { Server } from './server.ts';

export const PASSWORD = 'lantern by the canal';
export const EMAIL = 'ada@example.org';
export const THING = 'clock-01';

interface Fixtures {
  /** A running server with the product, and nothing else. */
  server: Server;
  /** A page of an owner who is signed in and has one device, plugged in and with nothing to install. */
  owner: Page;
  /** What the pages of this test complained about; empty at the end. */
  complaints: string[];
}

export const test = base.extend<Fixtures>({
  server: async ({}, use, info) => {
    const folder = await mkdtemp(join(tmpdir(), 'otaru-e2e-'));
    const server = new Server(folder);
    try {
      await server.start();
      await server.createProduct();
      await use(server);
    } finally {
      await server.end();
      if (info.status !== info.expectedStatus) await info.attach('server', { body: server.output });
      await rm(folder, { recursive: true, force: true });
    }
  },

  complaints: [
    async ({ context }, use) => {
      const complaints: string[] = [];
      watch(context, complaints);
      await use(complaints);
      // A policy that is broken, a script that fails: whatever else the test looked at.
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],

  owner: async ({ page, server }, use) => {
    await signUp(page, server, THING);
    await server.plugIn(THING);
    await expect(page.getByText('Everything is up to date')).toBeVisible();
    await use(page);
  },
});

export { expect };

export function watch(context: BrowserContext, complaints: string[]): void {
  context.on('weberror', (error) => complaints.push(String(error.error())));
  context.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) complaints.push(message.text());
  });
}

/** Makes an account with the code of a new device, as a person does. */
export async function signUp(page: Page, server: Server, thing: string, email = EMAIL): Promise<void> {
  const code = await server.addDevice(thing);
  await page.goto(`${server.url}/claim#${code}`);
  await page.getByRole('button', { name: 'I am new here' }).click();
  await expect(page.getByLabel('Code')).toHaveValue(code);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Make my account' }).click();
  await expect(page.getByRole('heading', { level: 1, name: thing })).toBeVisible();
}

/** Sets the server up by its link, and makes the page one of its administrator. */
export async function setUp(page: Page, server: Server): Promise<void> {
  const code = await until('the set-up link', () => /\/setup#(\S+)/.exec(server.output)?.[1]);
  const answer = await page.request.post(`${server.url}/app/setup`, { data: { code, email: EMAIL, password: PASSWORD } });
  expect(answer.status()).toBe(201);
}

export async function signIn(page: Page, server: Server, email = EMAIL, password = PASSWORD): Promise<void> {
  await page.goto(`${server.url}/sign-in`);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** Writes down every value the progress bar ever has; read them with `bars`. */
export async function recordBars(page: Page): Promise<void> {
  await page.evaluate(() => {
    const seen: number[] = [];
    Object.assign(globalThis, { seen });
    const note = () => {
      const now = document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow');
      if (now !== null && now !== undefined && seen.at(-1) !== Number(now)) seen.push(Number(now));
    };
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
}

export const bars = (page: Page): Promise<number[]> => page.evaluate(() => (globalThis as unknown as { seen: number[] }).seen);
