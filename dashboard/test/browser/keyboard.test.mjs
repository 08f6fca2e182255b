// Everything that is done most, without a mouse.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEYS } from './stand/server.mjs';
import { stage } from './stand/stage.mjs';
import { whole } from './stand/visit.mjs';

const set = stage();

/** Presses Tab until what has the focus is called so. */
const tabTo = async (page, name) => {
  for (let presses = 0; presses < 60; presses++) {
    const focused = await page.evaluate(() => {
      const { activeElement: element } = document;
      return element?.getAttribute('aria-label') ?? element?.labels?.[0]?.innerText ?? element?.textContent ?? '';
    });
    if (name.test(focused.trim())) {
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.notEqual(outline, 'none', `${name}: nobody sees where the focus is`);
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not come to ${name}`);
};

test('sign in, choose a range, add a filter, open another view', async () => {
  const { page, faults, close } = await set.open({ project: null });
  await page.getByLabel('Key').waitFor();
  await page.keyboard.type(KEYS.shop.read);
  await page.keyboard.press('Enter');
  await page.locator('header.bar').waitFor();
  await whole(page);

  await page.keyboard.press('d');
  await tabTo(page, /^Last 7 days$/);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.hash.includes('range=7d'));

  await page.keyboard.press('f');
  await tabTo(page, /^Property$/);
  await page.keyboard.type('country');
  await page.getByRole('option', { name: 'metadata.country' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await tabTo(page, /^Value$/);
  await page.keyboard.type('DE');
  await page.getByRole('option', { name: 'DE' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await tabTo(page, /^Add filter$/);
  await page.keyboard.press('Enter');
  await page.getByText('country is DE').waitFor();
  assert.deepEqual(JSON.parse(new URLSearchParams(new URL(page.url()).hash.split('?')[1]).get('filter')), [
    ['is', 'metadata.country', ['DE']],
  ]);

  await page.keyboard.press('g');
  await page.keyboard.press('i');
  await whole(page);
  assert.match(page.url(), /#\/sessions\?.*range=7d/);
  assert.match(page.url(), /filter=/);
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('Add a filter').waitFor();
  await page.keyboard.press('Escape');
  assert.deepEqual(faults(), []);
  await close();
});

test('paths go on from a name that Enter is pressed on', async () => {
  const { page, close } = await set.open({ hash: '#/paths?range=30d&tz=UTC' });
  await whole(page);
  await page.locator('.ways').focus();
  await tabTo(page, /^Step 1: \/pricing,/);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => decodeURIComponent(location.hash).includes('"from"'));
  await whole(page);
  const said = await page.locator('.ways a title').allTextContents();
  const firsts = said.filter((text) => text.startsWith('Step 1:'));
  assert.equal(firsts.length, 1);
  assert.match(firsts[0], /^Step 1: \/pricing,/);
  await close();
});

test('a funnel is changed by keys alone', async () => {
  const { page, close } = await set.open({ hash: '#/funnels?range=30d&tz=UTC' });
  await whole(page);
  assert.equal(await page.locator('.funnel tbody tr').count(), 4);
  await tabTo(page, /^Remove step 4$/);
  await page.keyboard.press('Enter');
  await whole(page);
  assert.equal(await page.locator('.funnel tbody tr').count(), 3);
  await page.goBack();
  await page.waitForFunction(() => document.querySelectorAll('.funnel tbody tr').length === 4);
  await close();
});
