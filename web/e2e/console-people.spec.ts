import { EMAIL, expect, PASSWORD, test } from './harness/console.ts';

const LIN = 'lin@example.org';

test('a person is invited, gets another role, a new password, and leaves', async ({ admin, server, browser }) => {
  await admin.goto(`${server.url}/console/people`);
  await admin.getByLabel('E-mail address').fill(LIN);
  await admin.getByLabel('Role', { exact: true }).selectOption('publisher');
  await admin.getByRole('button', { name: 'Invite' }).click();
  const link = await admin.getByRole('textbox', { name: `Invitation for ${LIN}` }).inputValue();
  expect(link).toContain('/invitation#');
  await expect(admin.getByRole('table', { name: 'Invitations' })).toContainText(LIN);

  const lin = await browser.newContext();
  const page = await lin.newPage();
  await page.goto(new URL(new URL(link).pathname + new URL(link).hash, server.url).href);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Make my account' }).click();
  await expect(page.getByRole('heading', { level: 1 })).not.toHaveText('You are invited');

  await admin.reload();
  await expect(admin.getByRole('table', { name: 'Invitations' })).toHaveCount(0);
  const saved = admin.waitForResponse((answer) => answer.request().method() === 'PUT');
  await admin.getByLabel(`Role of ${LIN}`).selectOption('viewer');
  await saved;
  await admin.reload();
  await expect(admin.getByLabel(`Role of ${LIN}`)).toHaveValue('viewer');
  await admin.getByLabel(`Role of ${EMAIL}`).selectOption('owner');
  await expect(admin.getByRole('alert')).toContainText('last_admin');
  await expect(admin.getByLabel(`Role of ${EMAIL}`)).toHaveValue('admin');

  await admin.getByRole('button', { name: `Password reset link for ${LIN}` }).click();
  await expect(admin.getByRole('textbox', { name: `Password reset link for ${LIN}` })).toHaveValue(/\/reset#/);
  await admin.getByRole('button', { name: `Remove ${LIN}` }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(admin.getByRole('row', { name: LIN })).toHaveCount(0);
  await lin.close();
});

test('an address that is taken is refused, an invitation is taken back', async ({ admin, server }) => {
  await admin.goto(`${server.url}/console/people`);
  await admin.getByLabel('E-mail address').fill(EMAIL);
  await admin.getByRole('button', { name: 'Invite' }).click();
  await expect(admin.getByRole('alert')).toContainText('email_taken');
  await admin.getByLabel('E-mail address').fill(LIN);
  await admin.getByRole('button', { name: 'Invite' }).click();
  await admin.getByRole('button', { name: `Take back the invitation of ${LIN}` }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Take back', exact: true }).click();
  await expect(admin.getByRole('table', { name: 'Invitations' })).toHaveCount(0);
});

test('a token is shown once, works, and works no more', async ({ admin, server }) => {
  await admin.goto(`${server.url}/console/tokens`);
  await admin.getByLabel('Label').fill('build server');
  await admin.getByLabel('Role', { exact: true }).selectOption('viewer');
  await admin.getByRole('button', { name: 'Make the token' }).click();
  const token = await admin.getByRole('textbox', { name: 'The token' }).inputValue();
  const asked = async (): Promise<number> => {
    const answer = await fetch(`${server.url}/api/v1/products`, { headers: { authorization: `Bearer ${token}` } });
    return answer.status;
  };
  expect(await asked()).toBe(200);
  const row = admin.getByRole('row', { name: 'build server' });
  await expect(row).toContainText('viewer');
  await expect(row).toContainText(EMAIL);
  await admin.reload();
  await expect(row).toBeVisible();
  await expect(admin.getByText(token)).toHaveCount(0);

  await row.getByRole('button', { name: 'Revoke build server' }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(row).toContainText('revoked');
  expect(await asked()).toBe(401);
});
