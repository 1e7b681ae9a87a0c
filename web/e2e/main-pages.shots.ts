import { shoot } from './harness/shots.ts';
import { expect, setUp, test, THING } from './harness/test.ts';

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
  await shoot(owner, 'settings');

  await server.unplug(THING);
  await server.plugIn(THING, '--link-kbps', '600');
  await owner.goto(`${server.url}/`);
  await server.publish('1.0.5', 'good', 'Winter time comes on the right day.\nThe display is quieter at night.');
  await expect(owner.getByRole('heading', { name: '1.0.5 can be installed' })).toBeVisible();
  await shoot(owner, 'offer');

  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByText(/about .* left/)).toBeVisible();
  server.hold(THING);
  await shoot(owner, 'downloading');
  server.goOn(THING);
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
  await shoot(owner, 'done');
});

test('a version that did not work', async ({ owner, server }) => {
  await owner.goto(`${server.url}/devices/${THING}/settings`);
  await owner.getByLabel('Name').fill('Kitchen clock');
  await owner.getByRole('button', { name: 'Save' }).click();
  await owner.getByRole('link', { name: 'Back' }).click();
  await server.publish('1.0.5', 'bad');
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByRole('heading', { name: 'The old version was kept' })).toBeVisible();
  await shoot(owner, 'kept');
});

test('the way in', async ({ page, server }) => {
  await setUp(page, server);
  await page.context().clearCookies();
  await page.goto(`${server.url}/sign-in`);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await shoot(page, 'sign-in');
});
