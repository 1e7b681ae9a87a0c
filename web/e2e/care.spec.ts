import { findings, overflow } from './harness/axe.ts';
import { expect, signUp, test, THING } from './harness/test.ts';

for (const scheme of ['light', 'dark'] as const) {
  test(`nothing for axe to find, ${scheme}, and nothing wider than 320 pixels`, async ({ owner, server }) => {
    await owner.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await owner.setViewportSize({ width: 320, height: 640 });
    await server.publish();
    const pages = ['/', `/devices/${THING}/settings`, `/devices/${THING}/history`, '/claim', '/account', '/sign-in', '/sign-up', '/reset', '/setup', '/nowhere', '/console'];
    for (const path of pages) {
      await owner.goto(server.url + path);
      await expect(owner.locator('h1')).toBeVisible();
      expect(await findings(owner), path).toEqual([]);
      expect(await overflow(owner), path).toBeLessThanOrEqual(0);
    }
  });
}

test('everything is done with the keyboard alone', async ({ owner, server }) => {
  await server.publish();
  const install = owner.getByRole('button', { name: 'Install', exact: true });
  await expect(install).toBeVisible();
  for (let tabs = 0; tabs < 12 && !(await install.evaluate((button) => button === document.activeElement)); tabs += 1) {
    await owner.keyboard.press('Tab');
  }
  await expect(install).toBeFocused();
  const outline = await install.evaluate((button) => getComputedStyle(button).outlineStyle);
  expect(outline).toBe('solid');
  await owner.keyboard.press('Enter');
  await expect(owner.getByRole('heading', { name: '1.0.5 is installed' })).toBeVisible();
});

test('targets are large enough for a thumb', async ({ owner, server }) => {
  await server.publish();
  await expect(owner.getByRole('button', { name: 'Install', exact: true })).toBeVisible();
  const small = await owner.locator('main a, main button, nav a').evaluateAll((targets) =>
    targets
      .map((target) => ({ text: target.textContent, box: target.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 44 || box.height < 44)
      .map(({ text }) => text),
  );
  expect(small).toEqual([]);
});

const HOSTILE = [
  '<img src=x onerror="document.title=1">',
  '"><script>document.title=1</script>',
  "';alert(1)//",
  '{{constructor.constructor("document.title=1")()}}',
  'javascript:document.title=1',
  '<svg/onload=document.title=1>',
  '\u202eevil\u202c & <b>bold</b>',
];

test('names and notes are texts, whatever is in them', async ({ owner, server }) => {
  await server.publish('1.0.5', 'good', HOSTILE.join('\n'));
  await expect(owner.getByText('onerror=')).toBeVisible();
  await owner.getByRole('link', { name: 'Settings' }).click();
  for (const name of HOSTILE) {
    await owner.getByLabel('Name').fill(name);
    await owner.getByRole('button', { name: 'Save' }).click();
    await expect(owner.getByRole('button', { name: 'Save' })).toHaveCount(0);
    await expect(owner.locator('main header bdi').last()).toHaveText(name);
  }
  expect(await owner.locator('main img, main script, main b').count()).toBe(0);
  await expect(owner).toHaveTitle('Settings · Otaru');
});

test('a page and the console are what the policy allows', async ({ page, server }) => {
  for (const path of ['/', '/console']) {
    const answer = await page.goto(server.url + path);
    const policy = answer?.headers()['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    await expect(page.locator('h1')).toBeVisible();
  }
});

test('nothing is asked of anybody else', async ({ page, server }) => {
  const hosts = new Set<string>();
  page.context().on('request', (request) => hosts.add(new URL(request.url()).host));
  await signUp(page, server, THING);
  expect([...hosts]).toEqual([new URL(server.url).host]);
});
