import { findings, overflow } from './harness/axe.ts';
import { becomeInvited, expect, test } from './harness/console.ts';

const THING = 'clock-01';
const PAGES = ['devices', `devices/${THING}`, 'updates', 'releases/clock', 'products', 'products/clock', 'authorities', 'people', 'tokens', 'audit', 'nowhere'];

for (const scheme of ['light', 'dark'] as const) {
  for (const width of [390, 1280]) {
    test(`nothing for axe to find, ${scheme}, ${width} pixels wide`, async ({ admin, server }) => {
      await server.addDevice(THING);
      await server.publish();
      await admin.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
      await admin.setViewportSize({ width, height: 800 });
      for (const page of PAGES) {
        await admin.goto(`${server.url}/console/${page}`);
        await expect(admin.locator('h1')).toBeVisible();
        await expect(admin.locator('main :is(table, section, .nothing, p)').first()).toBeVisible();
        expect(await findings(admin), page).toEqual([]);
        expect(await overflow(admin), page).toBeLessThanOrEqual(0);
      }
    });
  }
}

test('a device is found and updated with the keyboard alone', async ({ admin, server }) => {
  await server.addDevice(THING);
  await server.plugIn(THING);
  await server.publish();
  await admin.goto(`${server.url}/console/devices`);
  await expect(admin.getByRole('link', { name: THING })).toBeVisible();
  const tabTo = async (name: string, role: 'link' | 'button' | 'searchbox') => {
    const target = admin.getByRole(role, { name, exact: true });
    await expect(target).toBeVisible();
    for (let tabs = 0; tabs < 40 && !(await target.evaluate((element) => element === document.activeElement)); tabs += 1) {
      await admin.keyboard.press('Tab');
    }
    await expect(target).toBeFocused();
    expect(await target.evaluate((element) => getComputedStyle(element).outlineStyle)).toBe('solid');
  };
  await tabTo('Filter devices', 'searchbox');
  await admin.keyboard.type('clock');
  await tabTo(THING, 'link');
  await admin.keyboard.press('Enter');
  await expect(admin.getByRole('heading', { level: 1, name: THING })).toBeFocused();
  await tabTo('Install', 'button');
  await admin.keyboard.press('Enter');
  await expect(admin.getByRole('table', { name: 'History' })).toContainText('confirmed');
});

test('who may only look is offered nothing else', async ({ page, server }) => {
  await server.addDevice(THING);
  await server.publish();
  await becomeInvited(page, server, 'viewer');
  await page.goto(`${server.url}/console/devices/${THING}`);
  await expect(page.getByRole('region', { name: 'Shadow' })).toBeVisible();
  for (const name of ['Install', 'Edit desired', 'Make a claim code']) await expect(page.getByRole('button', { name })).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'People' })).toHaveCount(0);
  await page.goto(`${server.url}/console/releases/clock`);
  await expect(page.getByRole('row', { name: '1.0.5' })).toBeVisible();
  await expect(page.getByRole('button', { name: /Upload|Yank/ })).toHaveCount(0);
  await page.goto(`${server.url}/console/people`);
  await expect(page.getByRole('heading', { name: 'Nothing here' })).toBeVisible();
});

test('notes and log records are texts, whatever is in them', async ({ admin, server }) => {
  const hostile = '<img src=x onerror="document.title=1"> "><script>document.title=1</script> <b>bold</b>';
  await server.addDevice(THING);
  await server.publish('1.0.5', 'good', hostile);
  await server.otaru('shadow', 'set', THING, JSON.stringify({ state: { desired: { note: hostile } } }));
  await admin.goto(`${server.url}/console/releases/clock`);
  await expect(admin.getByText('onerror=')).toBeVisible();
  await admin.goto(`${server.url}/console/devices/${THING}`);
  await expect(admin.getByRole('region', { name: 'desired' })).toContainText('<b>bold</b>');
  expect(await admin.locator('main img, main script, main b').count()).toBe(0);
  await expect(admin).toHaveTitle(`${THING} · Console · Otaru`);
});

test('what is on the screen stays there while the server restarts, and moves again', async ({ admin, server }) => {
  await server.addDevice(THING);
  await admin.goto(`${server.url}/console/devices`);
  await expect(admin.getByRole('row', { name: THING })).toBeVisible();
  await server.stop();
  await expect(admin.getByText('No live connection')).toBeVisible();
  await expect(admin.getByRole('row', { name: THING })).toBeVisible();
  await server.start();
  await expect(admin.getByText('No live connection')).toHaveCount(0);
  await server.plugIn(THING);
  await expect(admin.getByRole('row', { name: THING })).toContainText('online');
});
