import { findings } from './harness/axe.ts';
import { expect, test, THING } from './harness/test.ts';

const SCHEMA = {
  settings: [
    {
      name: 'phrase_type',
      type: 'choice',
      label: { en: 'Phrases', ja: '言葉', de: 'Sprüche' },
      help: { en: 'What the clock says on the hour.' },
      default: 'classic',
      choices: [
        { value: 'classic', label: { en: 'Classic' } },
        { value: 'haiku', label: { en: 'Haiku' } },
      ],
      edit: 'owner',
    },
    { name: 'brightness', type: 'integer', label: { en: 'Brightness' }, default: 60, min: 0, max: 100, edit: 'owner' },
    { name: 'radio_region', type: 'text', label: { en: 'Radio region' }, default: 'EU', max_length: 8, edit: 'operator' },
  ],
};

test('a setting waits for the device and is then applied', async ({ owner, server }) => {
  await server.api('PUT', '/api/v1/products/clock/settings', SCHEMA);
  await server.unplug(THING);
  await owner.getByRole('link', { name: 'Settings' }).click();
  await owner.reload();
  await owner.getByLabel('Phrases').selectOption('haiku');
  await expect(owner.getByText('The device takes it when it is connected.')).toBeVisible();
  await server.plugIn(THING);
  await expect(owner.getByText('The device has it').first()).toBeVisible();
  await expect(owner.getByLabel('Phrases')).toHaveValue('haiku');
});

test('what is not the owner’s to change is only shown', async ({ owner, server }) => {
  await server.api('PUT', '/api/v1/products/clock/settings', SCHEMA);
  await owner.getByRole('link', { name: 'Settings' }).click();
  await owner.reload();
  await expect(owner.getByText('Radio region')).toBeVisible();
  await expect(owner.getByLabel('Radio region')).toHaveCount(0);
});

test('a value out of range is refused before it is sent', async ({ owner, server }) => {
  await server.api('PUT', '/api/v1/products/clock/settings', SCHEMA);
  await owner.getByRole('link', { name: 'Settings' }).click();
  await owner.reload();
  await owner.getByLabel('Brightness').fill('400');
  await owner.getByRole('button', { name: 'Save' }).click();
  await expect(owner.getByLabel('Brightness')).toBeFocused();
  await owner.getByLabel('Brightness').fill('40');
  await owner.getByRole('button', { name: 'Save' }).click();
  await expect(owner.getByLabel('Brightness')).toHaveValue('40');
  await expect(owner.getByText('The device has it').first()).toBeVisible();
  expect(await findings(owner)).toEqual([]);
});
