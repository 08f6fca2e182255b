// What is left on a device, and for whom nothing is done at all.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openPage, openProfile } from './stand/chromium.mjs';
import { counted, pause, settled, storedEvents } from './stand/collector.mjs';
import { stage } from './stand/stage.mjs';

const set = stage();
const profiles = [];
after(() => Promise.all(profiles.map((profile) => profile.close())));
const profile = async (preferences) => {
  profiles.push(await openProfile(preferences));
  return profiles.at(-1);
};
const kept = (page) =>
  page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage), ...(document.cookie ? ['cookie'] : [])]);

const signals = {
  'Global Privacy Control': () => Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true }),
  'Do Not Track': undefined,
};

for (const [name, script] of Object.entries(signals)) {
  test(`${name}: nothing is sent, nothing is kept, and nothing breaks`, async () => {
    const { project, site, road, context } = await set();
    const browser = script ? await context() : await profile({ enable_do_not_track: true });
    if (script) await browser.addInitScript(script);
    const { page, errors } = await openPage(browser);
    await page.goto(`${site.url}/quiet`);
    assert.equal(await page.evaluate(() => navigator.globalPrivacyControl === true || navigator.doNotTrack === '1'), true);
    await page.evaluate(() => {
      analytics.track('a', 'b');
      analytics.identify('u');
      analytics.identify(null);
      analytics.page();
      analytics.push(['track', 'a', 'c']);
      history.pushState({}, '', '/moved');
    });
    await pause(500);
    assert.deepEqual(await kept(page), []);
    await page.goto('about:blank');
    await pause(300);
    assert.equal(road.posts.length, 0);
    assert.deepEqual(await storedEvents(project), []);
    assert.deepEqual(errors, []);
  });

  test(`${name} is not asked for where the site says so`, async () => {
    const { project, site, context } = await set('data-privacy="ignore"');
    const browser = script ? await context() : await profile({ enable_do_not_track: true });
    if (script) await browser.addInitScript(script);
    const { page } = await openPage(browser);
    await page.goto(`${site.url}/`);
    await settled(project, 1);
  });
}

test('no cookie is set or sent, nothing outlives the tab, and no request asks first', async () => {
  const { project, site, road, context } = await set();
  const browser = await context();
  // A cookie that the collector's host has for other reasons.
  await browser.addCookies([{ name: 'other', value: '1', url: road.url }]);
  const { page } = await openPage(browser);
  await page.goto(`${site.url}/`);
  await settled(project, 1);
  assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length]), ['', 0]);
  assert.deepEqual(await kept(page), [`analytics.${project.writeKey}.session`]);
  assert.deepEqual((await browser.cookies()).map(({ name }) => name), ['other']);
  assert.ok(road.posts.every(({ cookie, preflight }) => !cookie && !preflight));
});

test('with data-session="memory" nothing at all is kept', async () => {
  const { project, site, context } = await set('data-session="memory" data-queue="memory"');
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/one`);
  await page.evaluate(() => analytics.track('a', 'b'));
  await settled(project, 2);
  assert.deepEqual(await kept(page), []);
  await page.goto(`${site.url}/two`);
  await settled(project, 3);
  assert.deepEqual(await counted(project), { events: 3, sessions: 2, users: 0 });
});

test('with data-session="local" a session goes on in another tab', async () => {
  const { project, site, context } = await set('data-session="local"');
  const browser = await context();
  for (const path of ['/one', '/two']) await (await openPage(browser)).page.goto(site.url + path);
  await settled(project, 2);
  assert.deepEqual(await counted(project), { events: 2, sessions: 1, users: 0 });
});

const blocked = {
  'blocked by the browser': () => profile({ profile: { default_content_setting_values: { cookies: 2 } } }),
  'that throws': async (context) => {
    const browser = await context();
    await browser.addInitScript(() => {
      for (const name of ['sessionStorage', 'localStorage']) {
        Object.defineProperty(window, name, { get: () => { throw new DOMException('no', 'SecurityError'); } });
      }
    });
    return browser;
  },
  'that is full': async (context) => {
    const browser = await context();
    await browser.addInitScript(() => {
      Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };
      for (const store of [sessionStorage, localStorage]) {
        for (let size = 1 << 22; size >= 1; size >>= 1) {
          for (let n = 0; ; n++) try { store[`fill ${size} ${n}`] = 'x'.repeat(size); } catch { break; }
        }
      }
    });
    return browser;
  },
};
for (const [name, open] of Object.entries(blocked)) {
  test(`storage ${name}: a session holds for a page, and events arrive`, async () => {
    const { project, site, road, context } = await set();
    let failed = false;
    road.trouble = () => (failed ? undefined : (failed = true) && 'cut');
    const { page, errors } = await openPage(await open(context));
    await page.goto(`${site.url}/one`);
    await page.evaluate(() => analytics.track('a', 'b'));
    await page.evaluate(() => analytics.track('a', 'c'));
    const events = await settled(project, 3);
    assert.equal(new Set(events.map(({ session_id }) => session_id)).size, 1);
    assert.deepEqual(errors, []);
  });
}
