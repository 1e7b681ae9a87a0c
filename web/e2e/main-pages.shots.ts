import { fileURLToPath } from 'node:url';

import type { Page } from '@playwright/test';

import { expect, test, THING } from './harness/test.ts';

const FOLDER = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
const SCREENS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } } as const;

/** The page on a phone and a desktop, light and dark. */
async function shoot(page: Page, name: string): Promise<void> {
  for (const [screen, size] of Object.entries(SCREENS)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: `${FOLDER}${name}-${screen}-${colorScheme}.png` });
    }
  }
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
  await shoot(owner, 'settings');

  await server.unplug(THING);
  await server.plugIn(THING, '--link-kbps', '600');
  await owner.goto(`${server.url}/`);
  await server.publish('1.0.5', 'good', 'Winter time comes on the right day.\nThe display is quieter at night.');
  await expect(owner.getByRole('heading', { name: '1.0.5 can be installed' })).toBeVisible();
  await shoot(owner, 'offer');

  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByText(/about .* left/)).toBeVisible();
  await shoot(owner, 'downloading');
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
  await shoot(owner, 'done');
  await owner.getByRole('link', { name: 'History' }).click();
  await expect(owner.getByText('1.0.5 installed')).toBeVisible();
  await shoot(owner, 'history');
});

test('a version that did not work, and the list', async ({ owner, server }) => {
  await server.publish('1.0.5', 'bad');
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('heading', { name: 'The old version was kept' })).toBeVisible();
  await shoot(owner, 'kept');
  const code = await server.addDevice('clock-02');
  await owner.goto(`${server.url}/claim#${code}`);
  await shoot(owner, 'claim');
  await owner.getByRole('button', { name: 'Add it' }).click();
  await owner.getByRole('link', { name: 'Back' }).click();
  await expect(owner.getByRole('heading', { name: 'Your devices' })).toBeVisible();
  await shoot(owner, 'devices');
});

test('the way in', async ({ page, server }) => {
  await page.goto(`${server.url}/sign-in`);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await shoot(page, 'sign-in');
});
