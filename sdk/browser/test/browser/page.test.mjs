// The page and its tracker: neither harms the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './stand/chromium.mjs';
import { counted, pause, settled } from './stand/collector.mjs';
import { stage } from './stand/stage.mjs';
import { tag } from './stand/site.mjs';

const set = stage();

const HOSTILE = [
  '<img src=x onerror="window.hurt=1">', '"><script>window.hurt=1</script>', "'; DROP TABLE raw_events; --",
  'שלום \u202Eevil\u202C', '👩‍👩‍👧‍👦 🏳️‍🌈',
  '${7*7}{{7*7}}', '\u0000 and \ud800', '%00%ff', 'x'.repeat(5_000),
];
const mended = (text) => text.replace(/\0/g, '\ufffd').replace(/[\ud800-\udfff]/gu, '\ufffd');

test('hostile titles, paths, campaigns and metadata arrive as the text that they are', async () => {
  const { project, site, context } = await set();
  const { page, errors } = await openPage(await context());
  await page.goto(`${site.url}/start`);
  const titles = await page.evaluate((texts) =>
    texts.map((text) => {
      const written = encodeURIComponent(text.toWellFormed());
      history.pushState({}, '', `/${written}?utm_source=${written}`);
      document.title = text;
      analytics.track('hostile', 'text', { text, '<b>key</b>': 1 });
      return document.title;
    }), HOSTILE);
  const events = await settled(project, 1 + 2 * HOSTILE.length);
  const told = events.filter(({ event_type }) => event_type === 'hostile').map(({ metadata }) => metadata.text);
  assert.deepEqual(told, HOSTILE.map(mended));
  const views = events.filter(({ event_action, metadata }) => event_action === 'view' && metadata.path !== '/start');
  for (const [index, { metadata }] of views.entries()) {
    const path = `/${encodeURIComponent(HOSTILE[index].replace(/[\ud800-\udfff]/gu, '\ufffd'))}`;
    assert.equal(metadata.title, mended(titles[index].slice(0, 1_000)));
    assert.equal(decodeURIComponent(metadata.path.slice(1)), decodeURIComponent(path.slice(1, 1_000)));
    assert.equal(metadata.utm_source, mended(HOSTILE[index]).slice(0, 1_000));
  }
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  assert.deepEqual(errors, []);
});

test('a hostile referrer arrives as text', async () => {
  const { project, site, context } = await set();
  const browser = await context();
  const referrer = 'https://evil.example/<img src=x onerror=alert(1)>?q=שלום';
  await browser.addInitScript((text) => Object.defineProperty(Document.prototype, 'referrer', { get: () => text }), referrer);
  const { page } = await openPage(browser);
  await page.goto(`${site.url}/`);
  const [{ metadata }] = await settled(project, 1);
  assert.equal(metadata.referrer, referrer);
});

test('whatever a page calls with, nothing is thrown and the good ones arrive', async () => {
  const { project, site, context } = await set();
  const { page, errors, words } = await openPage(await context());
  await page.goto(`${site.url}/`);
  const thrown = await page.evaluate(() => {
    const ring = {};
    ring.ring = ring;
    const calls = [
      () => analytics.track('bad', 'ring', ring), () => analytics.track('bad', 'big', { n: 10n }),
      () => analytics.track('bad', 'getter', { get x() { throw new Error('getter'); } }),
      () => analytics.push(), () => analytics.push([]), () => analytics.push(['nothing']), () => analytics.push('track'),
      () => analytics.identify({ toString() { throw new Error('id'); } }),
      () => document.body.dispatchEvent(new MouseEvent('click', { bubbles: true })),
      () => document.dispatchEvent(new MouseEvent('click')), () => window.dispatchEvent(new MouseEvent('click')),
      () => analytics.track('good', 'one', { f() {}, u: undefined, n: NaN }),
    ];
    return calls.filter((call) => { try { call(); return false; } catch { return true; } }).length;
  });
  assert.equal(thrown, 0);
  const events = await settled(project, 2);
  assert.deepEqual(events[1].metadata, { host: new URL(site.url).host, path: '/', n: null });
  assert.deepEqual(errors, []);
  assert.ok(words.some((word) => word.startsWith('warning: analytics:')), words.join('\n'));
});

test('a page whose policy names the host alone runs it', async () => {
  const { project, site, road, context } = await set();
  site.headers['content-security-policy'] = `default-src 'none'; script-src ${road.url}; connect-src ${road.url}`;
  const { page, words } = await openPage(await context());
  await page.goto(`${site.url}/strict`);
  await page.evaluate(() => analytics.track('under', 'policy'));
  await settled(project, 2);
  await page.evaluate(() => analytics.track('under', 'policy until the end'));
  await page.close({ runBeforeUnload: true });
  await settled(project, 3);
  assert.deepEqual(words, []);
});

test('without connect-src nothing arrives, and the page goes on', async () => {
  const { project, site, road, context } = await set();
  site.headers['content-security-policy'] = `default-src 'none'; script-src ${road.url}`;
  const { page, errors, words } = await openPage(await context());
  await page.goto(`${site.url}/strict`);
  await pause(500);
  await settled(project, 0);
  assert.ok(words.some((word) => /connect-src/.test(word)), words.join('\n'));
  assert.deepEqual(errors, []);
});

test('the tag twice counts once', async () => {
  const { project, site, context } = await set('', { head: (road, of) => tag(road, of) + tag(road, of) });
  const { page, words } = await openPage(await context());
  await page.goto(`${site.url}/`);
  await settled(project, 1);
  assert.ok(words.some((word) => word.includes('already here')), words.join('\n'));
});

test('an element called analytics is in nobody\'s way, and there is one global more', async () => {
  let tagged = false;
  const { project, site, context } = await set('', { head: (road, of) => (tagged ? tag(road, of) : '<meta>') });
  site.pages['/'] = '<div id="analytics"></div>';
  const { page, errors } = await openPage(await context());
  const names = () => page.evaluate(() => Object.getOwnPropertyNames(window));
  await page.goto(`${site.url}/`);
  const without = await names();
  tagged = true;
  await page.goto(`${site.url}/`);
  await settled(project, 1);
  assert.deepEqual((await names()).filter((name) => !without.includes(name)), ['analytics']);
  assert.deepEqual(errors, []);
});

test('a host that is none is told in the console, and nothing breaks', async () => {
  const { project, site, context } = await set('data-host="stats example"');
  const { page, errors, words } = await openPage(await context());
  await page.goto(`${site.url}/`);
  await page.evaluate(() => analytics.track('a', 'b'));
  await settled(project, 0);
  assert.ok(words.some((word) => word.includes('no https://')), words.join('\n'));
  assert.deepEqual(errors, []);
});

test('host and path of one\'s own choice are where events go', async () => {
  const { project, site, road, context } = await set('', {
    head: (road, of) => {
      const alias = road.url.replace('127.0.0.1', 'localhost');
      return tag(road, of, `data-host="${alias}" data-path="/other/name"`);
    },
  });
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/`);
  await settled(project, 1);
  assert.equal(road.posts[0].url, `/other/name?key=${project.writeKey}`);
});

test('the module is the same, without a tag and a global', async () => {
  const { project, site, road, context } = await set('', {
    head: (road, of) => `<script type="module">
      import { start } from '/module.js';
      window.own = start({ key: '${of.writeKey}', host: '${road.url}', wait: 50, user: 'u-5' });
      own.track('from', 'module', { n: 1 });
    </script>`,
  });
  const { page, errors } = await openPage(await context());
  const { readFileSync } = await import('node:fs');
  const module = readFileSync(new URL('../../dist/index.js', import.meta.url), 'utf8');
  await page.route('**/module.js', (route) => route.fulfill({ contentType: 'text/javascript', body: module }));
  await page.goto(`${site.url}/`);
  const events = await settled(project, 2);
  assert.deepEqual(events.map(({ event_action, user_id }) => [event_action, user_id]), [['view', 'u-5'], ['module', 'u-5']]);
  assert.equal(await page.evaluate(() => typeof analytics), 'undefined');
  assert.deepEqual(await counted(project), { events: 2, sessions: 1, users: 1 });
  assert.equal(road.posts.length, 1);
  assert.deepEqual(errors, []);
});
