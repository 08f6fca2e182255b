// How long somebody waits for the first view.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stand/stage.mjs';
import { whole } from './stand/visit.mjs';

/** The longest that the first view may take, in milliseconds. */
const MOST = 1_000;
/** How often it is tried at least, and at most: where others use the machine, the fastest tells what the page needs. */
const TRIES = { least: 3, most: 15 };

const set = stage();

test('the first view is there within a second', async () => {
  const times = [];
  let bytes = 0;
  for (let round = 0; round < TRIES.least || (round < TRIES.most && Math.min(...times) >= MOST); round++) {
    // A browser that has never been here: nothing is in its cache.
    const { page, context, close } = await set.open({ hash: 'api/docs' });
    const fresh = await context.newPage();
    await page.close();
    bytes = 0;
    fresh.on('response', (response) => {
      if (new URL(response.url()).pathname.startsWith('/assets/') || new URL(response.url()).pathname === '/') {
        bytes += Number(response.headers()['content-length'] ?? 0);
      }
    });
    await fresh.addInitScript(() => {
      // When the last panel has its answer: the last change of what is shown.
      const observer = new MutationObserver(() => {
        const isBusy = document.querySelector('[aria-busy="true"], .skeleton, .waiting') !== null;
        if (!isBusy && document.querySelector('main .panel')) window.wholeAt ??= performance.now();
        else window.wholeAt = undefined;
      });
      observer.observe(document, { subtree: true, childList: true, attributes: true });
    });
    await fresh.goto('/#/overview?range=30d&tz=UTC');
    await whole(fresh);
    await fresh.waitForFunction(() => window.wholeAt !== undefined);
    times.push(await fresh.evaluate(() => window.wholeAt));
    await close();
  }
  const least = Math.min(...times);
  const all = times.map(Math.round).join(', ');
  console.log(
    `first view: ${Math.round(least)} ms until every panel has its answer (at most ${MOST}; all tries: ${all}), ${bytes} bytes`,
  );
  assert.ok(least < MOST, `${all} ms`);
});
