import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { findings } from './harness/axe.ts';
import { expect, test, THING } from './harness/test.ts';

test('the device says later, and why, and then now', async ({ owner, server }) => {
  const decision = join(server.folder, 'decision');
  await writeFile(decision, 'later 3600 busy');
  await server.unplug(THING);
  await server.plugIn(THING, '--decision-file', decision);
  await server.publish();
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByText(/The device waits until/)).toBeVisible();
  await expect(owner.getByText('The device is busy.')).toBeVisible();
  expect(await findings(owner)).toEqual([]);
  await writeFile(decision, 'now');
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
});

test('a no at the device ends the update without a failure', async ({ owner, server }) => {
  const decision = join(server.folder, 'decision');
  await writeFile(decision, 'refuse');
  await server.unplug(THING);
  await server.plugIn(THING, '--decision-file', decision);
  await server.publish();
  await owner.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(owner.getByText('The device, or somebody at it, said no to this update.')).toBeVisible();
  await expect(owner.getByRole('heading', { name: '1.0.5 can be installed' })).toBeVisible();
  expect(await findings(owner)).toEqual([]);
});

test('somebody at the screen of the device decides for its owner', async ({ owner, server }) => {
  await server.otaru('product', 'consent', 'clock', '--mode', 'ask', '--ask-on-device', 'true');
  await server.unplug(THING);
  await server.plugIn(THING, '--answer-offers', 'now');
  await server.publish();
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
  await owner.getByRole('link', { name: 'History' }).click();
  await expect(owner.getByText('Decided at the device itself.')).toBeVisible();
});
