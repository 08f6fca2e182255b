// Every page, light and dark, on a desk and on a phone: it has data, nothing went wrong, everybody can use it.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hindrances } from './stand/axe.mjs';
import { hashOf, PAGES, somebody } from './stand/pages.mjs';
import { fill } from './stand/server.mjs';
import { stage } from './stand/stage.mjs';
import { sizes, whole } from './stand/visit.mjs';

/** Where the pictures lie afterwards. */
const OUTPUT = fileURLToPath(new URL('output/', import.meta.url));
const TONES = [
  ['light', 'desktop'],
  ['dark', 'desktop'],
  ['light', 'phone'],
  ['dark', 'phone'],
];

let of;
const set = stage(async (server) => {
  await fill(server);
  of = await somebody(server);
  mkdirSync(OUTPUT, { recursive: true });
});

for (const [theme, size] of TONES) {
  test(`every page, ${theme}, ${size}`, async (context) => {
    const { page, faults, close } = await set.open({ theme, size });
    for (const one of PAGES) {
      await context.test(one.name, async () => {
        const before = faults().length;
        await page.goto(`/${hashOf(one, of)}`);
        await whole(page);
        for (const selector of one.shows) await page.locator(selector).first().waitFor({ timeout: 5_000 });
        await page.screenshot({ path: join(OUTPUT, `${one.name}-${theme}-${size}.png`) });
        assert.equal(await page.locator('.trouble, .stale').count(), 0, await page.locator('main').innerText());
        assert.deepEqual(await hindrances(page), []);
        const { scrollWidth, clientWidth } = await page.evaluate(sizes);
        assert.ok(scrollWidth <= clientWidth, `${scrollWidth} pixels do not fit into ${clientWidth}`);
        assert.deepEqual(faults().slice(before), []);
      });
    }
    await close();
  });
}

test('what breaks the policy of the page would be found', async () => {
  const { page, faults, close } = await set.open();
  assert.deepEqual(faults(), []);
  await page.evaluate(() => {
    const element = document.createElement('script');
    element.textContent = 'window.hurt = 1';
    document.body.append(element);
    document.body.setAttribute('style', 'color: red');
  });
  await page.waitForTimeout(100);
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  assert.ok(
    faults().some((word) => word.includes('policy: script-src')),
    faults().join('\n'),
  );
  assert.ok(
    faults().some((word) => word.includes('policy: style-src')),
    faults().join('\n'),
  );
  await close();
});
