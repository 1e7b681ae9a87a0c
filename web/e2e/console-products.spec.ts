import { expect, test } from './harness/console.ts';

test.beforeEach(async ({ admin, server }) => {
  await admin.goto(`${server.url}/console/products`);
  await admin.getByRole('rowheader').getByRole('link', { name: 'clock' }).click();
  await expect(admin.getByRole('heading', { level: 1, name: 'clock' })).toBeVisible();
});

test('limits are written as people write them', async ({ admin, server }) => {
  const testing = admin.getByLabel('Testing');
  await expect(testing).toHaveValue('15 min');
  await testing.fill('soon');
  await admin.getByRole('button', { name: 'Save' }).click();
  await expect(testing).toBeFocused();
  await testing.fill('60 d');
  await admin.getByRole('button', { name: 'Save' }).click();
  await expect(admin.getByRole('alert')).toContainText('30 days');
  await testing.fill('90 s');
  await admin.getByRole('button', { name: 'Save' }).click();
  await expect(admin.getByRole('button', { name: 'Save' })).toHaveCount(0);
  expect((await server.api('GET', '/api/v1/products/clock')).limits.testing_ms).toBe(90_000);
});

test('the rule of consent is chosen', async ({ admin }) => {
  await admin.getByRole('radio', { name: 'Ask until a deadline' }).check();
  await admin.getByLabel('Days').fill('7');
  const onDevice = admin.getByRole('switch', { name: 'May also be decided at the device' });
  await onDevice.click();
  await admin.getByRole('button', { name: 'Save' }).click();
  await expect(admin.getByRole('button', { name: 'Save' })).toHaveCount(0);
  await admin.reload();
  await expect(onDevice).toBeChecked();
  await expect(admin.getByRole('radio', { name: 'Ask until a deadline' })).toBeChecked();
  await expect(admin.getByLabel('Days')).toHaveValue('7');
});

test('a settings schema is checked while it is written, and kept', async ({ admin }) => {
  await admin.getByRole('button', { name: 'Edit the schema' }).click();
  const text = admin.getByLabel('Settings schema');
  await text.fill('[{"name": "volume", "type": "colour"}]');
  await expect(admin.getByRole('alert')).toContainText('volume has the type "colour"');
  await text.fill('[');
  await expect(admin.getByRole('alert')).toContainText('line 1, column 2');
  await text.fill('[{"name":"volume","type":"integer","label":{"en":"Volume"},"default":3,"min":0,"max":9,"edit":"owner"}]');
  await admin.getByRole('button', { name: 'Save' }).click();
  await expect(admin.getByRole('row', { name: 'volume' })).toContainText('0 – 9');
  await admin.reload();
  await expect(admin.getByRole('row', { name: 'volume' })).toContainText('integer');
});
