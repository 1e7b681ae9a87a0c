import { defineConfig } from '@playwright/test';

export const launchOptions = {
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

export default defineConfig({
  testDir: 'e2e',
  testMatch: '**/*.spec.ts',
  globalSetup: './e2e/harness/images.ts',
  // Each test has a server and devices of its own; two at a time is what two cores carry.
  workers: 2,
  fullyParallel: true,
  forbidOnly: true,
  // Where nobody watches, a browser that died is not a fault of the pages; what needed it is listed as flaky.
  retries: process.env.CI ? 1 : 0,
  // Far more than anything takes, since nothing sleeps: a slow machine is late, never wrong.
  timeout: 180_000,
  expect: { timeout: 45_000 },
  reporter: [['list']],
  use: {
    launchOptions,
    viewport: { width: 390, height: 844 },
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    trace: 'retain-on-failure',
  },
});
