import { EMAIL, expect, PASSWORD, test } from './harness/test.ts';

test('a person sees where they are signed in and signs a lost phone out', async ({ owner, server, browser }) => {
  const other = await browser.newContext();
  const answer = await other.request.post(`${server.url}/app/session`, { data: { email: EMAIL, password: PASSWORD } });
  expect(answer.status()).toBe(200);
  expect((await other.request.get(`${server.url}/app/user`, { headers: { 'user-agent': 'Firefox/140.0 Android' } })).status()).toBe(200);

  await owner.getByRole('link', { name: 'Your account' }).click();
  const list = owner.getByRole('listitem').filter({ hasText: 'Here, now' });
  await expect(list).toContainText('Chrome, Linux');
  const phone = owner.getByRole('listitem').filter({ hasText: 'Firefox, Android' });
  await expect(phone).toContainText('Last used');
  await phone.getByRole('button', { name: 'Sign out Firefox, Android' }).click();
  await expect(phone).toHaveCount(0);
  await expect(list).toBeVisible();
  expect((await other.request.get(`${server.url}/app/user`)).status()).toBe(401);
  await other.close();
});
