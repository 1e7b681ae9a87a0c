import { join } from 'node:path';

import type { Page } from '@playwright/test';

import { until } from './process.ts';
import { Server } from './server.ts';
import { EMAIL, expect, PASSWORD, test as base } from './test.ts';

interface Fixtures {
  /** A page at a desk, of the administrator who set the server up; open at no address yet. */
  admin: Page;
}

export const test = base.extend<Fixtures>({
  viewport: { width: 1280, height: 900 },

  admin: async ({ page, server }, use) => {
    const code = await until('the set-up code', () => /\/setup#(\S+)/.exec(server.output)?.[1]);
    const answer = await page.request.post(`${server.url}/app/setup`, { data: { code, email: EMAIL, password: PASSWORD } });
    expect(answer.status()).toBe(201);
    await use(page);
  },
});

export { EMAIL, expect, PASSWORD };

/** Makes the page one of a person with another role, who takes an invitation. */
export async function becomeInvited(page: Page, server: Server, role: string): Promise<void> {
  const email = `${role}@example.org`;
  const { url } = await server.api('POST', '/api/v1/invitations', { email, role });
  const code = decodeURIComponent(String(url).split('#')[1] ?? '');
  const answer = await page.request.post(`${server.url}/app/invitation`, { data: { code, password: PASSWORD } });
  expect(answer.status()).toBe(201);
}

/** Signs a manifest with the server's release key, without publishing there: another server with the same key does. */
export async function signElsewhere(server: Server, image: string, version: string, product = 'clock'): Promise<string> {
  const other = new Server(join(server.folder, `signer-${version}`));
  const manifest = join(server.folder, `${version}.manifest`);
  try {
    await other.start();
    await other.otaru('product', 'create', product, '--chip', 'esp32c3', '--flash', '4M', '--root', join(server.folder, 'keys/root.cbor'));
    const key = join(server.folder, 'keys/release.key');
    await other.otaru('release', 'publish', image, '--product', product, '--version', version, '--key', key, '--save-manifest', manifest);
  } finally {
    await other.end();
  }
  return manifest;
}
