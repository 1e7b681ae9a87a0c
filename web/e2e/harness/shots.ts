import { fileURLToPath } from 'node:url';

import type { Page } from '@playwright/test';

const FOLDER = fileURLToPath(new URL('../../../docs/screenshots/', import.meta.url));

const SCREENS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } } as const;

/** The page as it is, on a phone and at a desk, light and dark. */
export async function shoot(page: Page, name: string): Promise<void> {
  for (const [screen, size] of Object.entries(SCREENS)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: `${FOLDER}${name}-${screen}-${colorScheme}.png` });
    }
  }
}
