import { EMAIL, expect, PASSWORD, signIn, signUp, test, THING } from './harness/test.ts';
import { until } from './harness/process.ts';

test('the first person sets the server up and invites the next', async ({ page, server, browser }) => {
  const link = await until('the set-up link', () => /\/setup#(\S+)/.exec(server.output)?.[0]);
  await page.goto(`${server.url}/`);
  await expect(page.getByText('This server is not set up yet.')).toBeVisible();

  await page.goto(server.url + link);
  await page.getByLabel('E-mail address').fill(EMAIL);
  await page.getByLabel('Password', { exact: true }).fill('short');
  await page.getByRole('button', { name: 'Set up' }).click();
  await expect(page.getByRole('heading', { name: 'Set up this server' })).toBeVisible();
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Set up' }).click();
  await expect(page.getByRole('heading', { name: 'No devices yet' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Console' })).toHaveAttribute('href', '/console');

  const { url } = await server.api('POST', '/api/v1/invitations', { email: 'grace@example.org', role: 'owner' });
  const grace = await browser.newPage();
  await grace.goto(server.url + new URL(url).pathname + new URL(url).hash);
  await grace.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await grace.getByRole('button', { name: 'Make my account' }).click();
  await expect(grace.getByRole('heading', { name: 'No devices yet' })).toBeVisible();
  await grace.close();

  // The link works once.
  await page.goto(server.url + link);
  await page.reload();
  await expect(page.getByText('This server is set up already.')).toBeVisible();
});

test('signing out leaves nothing on the phone', async ({ owner, server }) => {
  await owner.getByRole('link', { name: 'Your account' }).click();
  await owner.getByRole('button', { name: 'Sign out' }).click();
  await expect(owner.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  const kept = await owner.evaluate(() => JSON.stringify({ ...localStorage }));
  expect(kept).not.toContain(EMAIL);
  expect(kept).not.toContain(THING);

  await signIn(owner, server, EMAIL, 'not the password');
  await expect(owner.getByRole('alert')).toContainText('do not go together');
  await signIn(owner, server);
  await expect(owner.getByRole('heading', { level: 1, name: THING })).toBeVisible();
});

test('a new password ends every other session', async ({ owner, server, browser }) => {
  const other = await (await browser.newContext()).newPage();
  await signIn(other, server);
  await expect(other.getByRole('heading', { level: 1, name: THING })).toBeVisible();

  await owner.getByRole('link', { name: 'Your account' }).click();
  await owner.getByRole('button', { name: 'Change the password' }).click();
  await owner.getByLabel('Current password').fill('wrong password');
  await owner.getByLabel('New password').fill('another lantern');
  await owner.getByRole('button', { name: 'Save the new password' }).click();
  await expect(owner.getByText('That is not your current password.')).toBeVisible();
  await owner.getByLabel('Current password').fill(PASSWORD);
  await owner.getByRole('button', { name: 'Save the new password' }).click();
  await expect(owner.getByText('The new password is saved.')).toBeVisible();

  await other.reload();
  await expect(other.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await other.context().close();
});

test('a link for a new password works once', async ({ owner, server }) => {
  const { items } = await server.api('GET', '/api/v1/users');
  const person = items.find((each: { email: string }) => each.email === EMAIL);
  const { url } = await server.api('POST', `/api/v1/users/${person.id}/reset-link`);
  const link = server.url + new URL(url).pathname + new URL(url).hash;
  await owner.context().clearCookies();
  for (const works of [true, false]) {
    await owner.goto('about:blank');
    await owner.goto(link);
    await owner.getByLabel('Password', { exact: true }).fill('snow on the roofs');
    await owner.getByRole('button', { name: 'Save and sign in' }).click();
    if (works) await expect(owner.getByRole('heading', { level: 1, name: THING })).toBeVisible();
    else await expect(owner.getByRole('alert')).toContainText('used already');
  }
});

test('a server without mail says so', async ({ page, server }) => {
  await page.goto(`${server.url}/reset`);
  await page.getByLabel('E-mail address').fill(EMAIL);
  await page.getByRole('button', { name: 'Send the link' }).click();
  await expect(page.getByRole('alert')).toContainText('sends no mails');
});

test('a language goes with the person', async ({ owner, browser, server }) => {
  await owner.getByRole('link', { name: 'Your account' }).click();
  await owner.getByLabel('Language of this app').selectOption('ja');
  await expect(owner.getByRole('heading', { level: 1, name: 'アカウント' })).toBeVisible();
  await expect(owner.locator('html')).toHaveAttribute('lang', 'ja');
  const other = await (await browser.newContext({ locale: 'en-GB' })).newPage();
  await signIn(other, server);
  await expect(other.getByText('バージョン 1.0.4')).toBeVisible();
  await other.context().close();
});

test('an unknown code says what to do', async ({ owner }) => {
  await owner.getByRole('link', { name: 'Add a device' }).click();
  await owner.getByLabel('Code').fill('AAAA-BBBB-CCCC');
  await owner.getByRole('button', { name: 'Add it' }).click();
  await expect(owner.getByRole('alert')).toContainText('not known');
});

test('with two devices the app opens on the list', async ({ owner, server }) => {
  const code = await server.addDevice('clock-02');
  // What the camera opens from the printed code.
  await owner.goto(`${server.url}/claim#${code}`);
  await owner.getByRole('button', { name: 'Add it' }).click();
  await expect(owner.getByRole('heading', { level: 1, name: 'clock-02' })).toBeVisible();
  await expect(owner.getByText('It has not called home yet')).toBeVisible();
  await owner.getByRole('link', { name: 'Back' }).click();
  await expect(owner.getByRole('heading', { level: 1, name: 'Your devices' })).toBeVisible();
  await expect(owner.getByRole('link', { name: /clock-0[12]/ })).toHaveCount(2);
});

test('a device is shared with a second person, and given up', async ({ owner, server, browser }) => {
  await owner.getByRole('link', { name: 'Settings' }).click();
  await owner.getByRole('button', { name: 'Share it' }).click();
  const code = (await owner.locator('.share .code').textContent()) ?? '';

  const grace = await (await browser.newContext({ locale: 'en-GB' })).newPage();
  await signUp(grace, server, 'clock-02', 'grace@example.org');
  await grace.goto(`${server.url}/claim#${code}`);
  await grace.getByRole('button', { name: 'Add it' }).click();
  await expect(grace.getByRole('heading', { level: 1, name: THING })).toBeVisible();

  // Both live, on both phones; only the owner may take it away again.
  await expect(owner.getByText('grace@example.org')).toBeVisible();
  await grace.getByRole('link', { name: 'Settings' }).click();
  await expect(grace.getByRole('button', { name: 'Share it' })).toHaveCount(0);
  await expect(grace.getByRole('button', { name: /^Stop sharing with/ })).toHaveCount(0);
  await grace.getByLabel('Name').fill('Kitchen');
  await grace.getByRole('button', { name: 'Save' }).click();
  await expect(owner.getByLabel('Name')).toHaveValue('Kitchen');
  await owner.getByRole('button', { name: 'Stop sharing with grace@example.org' }).click();
  await expect(owner.getByText('grace@example.org')).toHaveCount(0);
  await grace.goto(`${server.url}/devices/${THING}`);
  await expect(grace.getByRole('heading', { name: 'There is nothing here' })).toBeVisible();
  await grace.context().close();

  await owner.getByRole('button', { name: 'Give it up' }).click();
  await owner.getByRole('dialog').getByRole('button', { name: 'Keep it' }).click();
  await expect(owner.getByRole('dialog')).toBeHidden();
  await owner.getByRole('button', { name: 'Give it up' }).click();
  await owner.getByRole('dialog').getByRole('button', { name: 'Give it up' }).click();
  await expect(owner.getByRole('heading', { name: 'No devices yet' })).toBeVisible();
});
