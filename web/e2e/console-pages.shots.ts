import { expect, test } from './harness/console.ts';
import { shoot } from './harness/shots.ts';

test('the pages a developer sees most', async ({ admin, server }) => {
  for (const thing of ['clock-01', 'clock-02', 'clock-03']) await server.addDevice(thing);
  await server.plugIn('clock-01', '--link-kbps', '900');
  await server.plugIn('clock-02');
  await server.publish('1.0.5', 'good', 'Winter time comes on the right day.\nThe display is quieter at night.');
  await admin.goto(`${server.url}/console/devices`);
  await expect(admin.getByRole('row', { name: 'clock-02' })).toContainText('online');
  await shoot(admin, 'console-devices');

  await admin.goto(`${server.url}/console/devices/clock-01`);
  await admin.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(admin.getByRole('progressbar')).toBeVisible();
  await expect(admin.getByRole('progressbar')).not.toHaveAttribute('aria-valuenow', '0');
  server.hold('clock-01');
  await shoot(admin, 'console-device');
  server.goOn('clock-01');

  for (const page of ['releases', 'products', 'people', 'audit'] as const) {
    const name = page === 'people' || page === 'audit' ? '' : '/clock';
    await admin.goto(`${server.url}/console/${page}${name}`);
    await expect(admin.locator('main :is(table, section)').first()).toBeVisible();
    await shoot(admin, `console-${page}`);
  }
});
