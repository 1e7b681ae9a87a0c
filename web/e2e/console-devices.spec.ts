import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from './harness/console.ts';

test('a console without devices says how to get one', async ({ admin, server }) => {
  await admin.goto(`${server.url}/console`);
  await expect(admin.getByRole('heading', { name: 'Devices' })).toBeVisible();
  await expect(admin.getByText('otaru device add')).toBeVisible();
});

test('devices are listed, filtered and move by themselves', async ({ admin, server }) => {
  for (const thing of ['clock-01', 'clock-02', 'clock-03']) await server.addDevice(thing);
  await server.plugIn('clock-02');
  await admin.goto(`${server.url}/console/devices`);
  const row = (thing: string) => admin.getByRole('row', { name: thing });
  await expect(row('clock-02')).toContainText('online');
  await expect(row('clock-02')).toContainText('1.0.4');
  await expect(row('clock-01')).toContainText('not reported yet');

  await admin.getByLabel('Filter devices').fill('03');
  await expect(row('clock-03')).toBeVisible();
  await expect(row('clock-02')).toHaveCount(0);
  await expect(admin.getByText('1 device found')).toBeVisible();
  await admin.getByLabel('Filter devices').fill('');
  await admin.getByRole('searchbox', { name: 'Running' }).fill('1.0.4');
  await expect(row('clock-03')).toHaveCount(0);
  await expect(row('clock-02')).toBeVisible();
  await admin.getByRole('searchbox', { name: 'Running' }).fill('');
  await expect(row('clock-03')).toBeVisible();
  await admin.getByRole('radio', { name: 'Online' }).check({ force: true });
  await expect(row('clock-01')).toHaveCount(0);
  await expect(row('clock-02')).toBeVisible();

  await server.unplug('clock-02');
  await expect(row('clock-02')).toHaveCount(0);
  await server.plugIn('clock-02');
  await expect(row('clock-02')).toContainText('online');
  await server.unplug('clock-02');
  await expect(row('clock-02')).toHaveCount(0);
  await admin.getByRole('radio', { name: 'All' }).check({ force: true });
  await expect(row('clock-02')).toContainText('offline');
});

test('a long list is read part by part, and searched as a whole', async ({ admin, server }) => {
  test.slow();
  const things = Array.from({ length: 230 }, (_, at) => `t-${String(at).padStart(3, '0')}`);
  for (let from = 0; from < things.length; from += 10) {
    const some = things.slice(from, from + 10);
    await Promise.all(some.map((thing) => server.api('POST', '/api/v1/devices', { thing, product: 'clock' })));
  }
  await admin.goto(`${server.url}/console/devices`);
  await expect(admin.getByText('The first 100 devices')).toBeVisible();
  await admin.getByLabel('Filter devices').fill('T-22');
  await expect(admin.getByRole('link', { name: 't-229' })).toBeVisible();
  await expect(admin.getByText('10 devices found')).toBeVisible();
  await admin.getByLabel('Filter devices').fill('');
  await expect(admin.getByText('The first 100 devices')).toBeVisible();
  await admin.getByRole('button', { name: 'Show more' }).click();
  await expect(admin.getByText('The first 200 devices')).toBeVisible();
});

test('devices whose certificate ends soon are marked and found', async ({ admin, server }) => {
  await server.addDevice('clock-01');
  await server.stop();
  await writeFile(join(server.folder, 'server/otaru.toml'), '[devices]\ncertificate_days = 20\n');
  await server.start();
  const token = join(server.folder, 'clock-02.toml');
  await server.otaru('device', 'enrolment-token', 'clock-02', '--product', 'clock', '--out', token);
  await server.otaru('device', 'enrol', '--token-file', token, '--out', join(server.folder, 'clock-02'));

  await admin.goto(`${server.url}/console/devices`);
  const row = (thing: string) => admin.getByRole('row', { name: thing });
  await expect(row('clock-02')).toContainText('certificate ends soon');
  await expect(row('clock-01')).not.toContainText('certificate');
  await admin.getByRole('checkbox', { name: 'Certificate ends soon' }).check({ force: true });
  await expect(row('clock-01')).toHaveCount(0);
  await expect(admin.getByText('1 device found')).toBeVisible();
  await row('clock-02').getByRole('link', { name: 'clock-02' }).click();
  await expect(admin.getByText('in 20 days')).toBeVisible();
  await expect(admin.getByText('soon', { exact: true })).toBeVisible();
});

test('a device that does not exist is said not to', async ({ admin, server }) => {
  await admin.goto(`${server.url}/console/devices/nobody`);
  await expect(admin.getByText('device_unknown')).toBeVisible();
  await admin.goto(`${server.url}/console/rollouts`);
  await expect(admin.getByRole('heading', { name: 'Nothing here' })).toBeVisible();
});
