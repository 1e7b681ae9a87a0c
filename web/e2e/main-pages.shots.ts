import { fileURLToPath } from 'node:url';

import type { Page } from '@playwright/test';

import { expect, setUp, test, THING } from './harness/test.ts';

const FOLDER = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
const SCREENS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } } as const;

async function shoot(page: Page, name: string, screen: keyof typeof SCREENS, colorScheme: 'light' | 'dark'): Promise<void> {
  await page.setViewportSize(SCREENS[screen]);
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: `${FOLDER}${name}-${screen}-${colorScheme}.png` });
}

async function shootBoth(page: Page, name: string): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) await shoot(page, name, 'phone', scheme);
}

test('the pages people see most', async ({ owner, server }) => {
  await server.api('PUT', '/api/v1/products/clock/settings', {
    settings: [
      {
        name: 'phrase_type',
        type: 'choice',
        label: { en: 'Phrases' },
        help: { en: 'What the clock says on the hour.' },
        default: 'classic',
        choices: [
          { value: 'classic', label: { en: 'Classic' } },
          { value: 'haiku', label: { en: 'Haiku' } },
        ],
        edit: 'owner',
      },
    ],
  });
  await owner.goto(`${server.url}/devices/${THING}/settings`);
  await owner.getByLabel('Name').fill('Kitchen clock');
  await owner.getByRole('button', { name: 'Save' }).click();
  await expect(owner.getByRole('button', { name: 'Save' })).toHaveCount(0);
  await owner.getByLabel('Phrases').selectOption('haiku');
  await expect(owner.getByText('The device has it')).toBeVisible();
  await owner.goto(`${server.url}/devices/${THING}/settings`);
  await expect(owner.getByText('The device has it')).toBeVisible();
  await shootBoth(owner, 'settings');

  await server.unplug(THING);
  await server.plugIn(THING, '--link-kbps', '600');
  await owner.goto(`${server.url}/`);
  await server.publish('1.0.5', 'good', 'Winter time comes on the right day.\nThe display is quieter at night.');
  await expect(owner.getByRole('heading', { name: '1.0.5 can be installed' })).toBeVisible();
  await shootBoth(owner, 'offer');
  await shoot(owner, 'offer', 'desktop', 'light');

  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByText(/about .* left/)).toBeVisible();
  server.hold(THING);
  await shootBoth(owner, 'downloading');
  server.goOn(THING);
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
  await shoot(owner, 'done', 'phone', 'light');
});

test('a version that did not work', async ({ owner, server }) => {
  await owner.goto(`${server.url}/devices/${THING}/settings`);
  await owner.getByLabel('Name').fill('Kitchen clock');
  await owner.getByRole('button', { name: 'Save' }).click();
  await owner.getByRole('link', { name: 'Back' }).click();
  await server.publish('1.0.5', 'bad');
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('heading', { name: 'The old version was kept' })).toBeVisible();
  await shoot(owner, 'kept', 'phone', 'dark');
});

test('the way in', async ({ page, server }) => {
  await setUp(page, server);
  await page.context().clearCookies();
  await page.goto(`${server.url}/sign-in`);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await shoot(page, 'sign-in', 'phone', 'light');
});
