// Whether what happens arrives, and counts once, whatever becomes of page, network and collector.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './stand/chromium.mjs';
import { counted, integrity, pause, settled, storedEvents } from './stand/collector.mjs';
import { stage } from './stand/stage.mjs';

const set = stage();
const actions = (events) => events.map(({ event_action }) => event_action);
const duplicates = async (project) => (await integrity(project)).received.reduce((sum, day) => sum + day.duplicate, 0);

test('what waits when a tab is closed comes as a beacon', async () => {
  const { project, site, road, context } = await set('data-wait="60000"');
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/closing`);
  await page.evaluate(() => analytics.track('door', 'open'));
  assert.deepEqual(await storedEvents(project), []);
  await page.close({ runBeforeUnload: true });
  assert.deepEqual(actions(await settled(project, 2)), ['view', 'open']);
  assert.equal(road.posts.length, 1);
});

test('what waits when a tab is hidden comes as a beacon, and again only from who lives on', async () => {
  const { project, site, road, context } = await set('data-wait="2000"');
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/hiding`);
  // What a browser does when another tab is looked at.
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await settled(project, 1);
  assert.equal(road.posts.length, 1);
  await road.posted(2);
  assert.deepEqual(road.posts[1].ids, road.posts[0].ids);
  await settled(project, 1);
  assert.equal(await duplicates(project), 1);
});

test('many and large events fit into beacons', async () => {
  const { project, site, road, context } = await set('data-wait="60000" data-batch="1000"');
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/`);
  await page.evaluate(() => {
    for (let n = 0; n < 12; n++) analytics.track('large', `event ${n}`, { text: '字'.repeat(1000) });
    analytics.track('large', 'event 12', { text: 'x'.repeat(20000) });
  });
  // Elsewhere nobody takes what the page has kept: there are the beacons alone.
  await page.goto('about:blank');
  await settled(project, 14);
  assert.ok(road.posts.length >= 2);
  assert.ok(road.posts.every(({ bytes }) => bytes <= 65_536));
  await page.goto(`${site.url}/next`);
  await page.close({ runBeforeUnload: true });
  await settled(project, 15);
});

test('offline, then back: everything arrives, once, with its time', async () => {
  const { project, site, context } = await set();
  const both = await context();
  const { page, errors } = await openPage(both);
  await page.goto(`${site.url}/train`);
  await settled(project, 1);
  await both.setOffline(true);
  const began = Date.now();
  await page.evaluate(() => {
    history.pushState({}, '', '/tunnel');
    analytics.track('train', 'dark');
  });
  await pause(6_000);
  await page.evaluate(() => analytics.track('train', 'still dark'));
  assert.equal((await storedEvents(project)).length, 1);
  await both.setOffline(false);
  const events = await settled(project, 4);
  assert.deepEqual(actions(events), ['view', 'view', 'dark', 'still dark']);
  assert.ok(Math.abs(Date.parse(events[2].timestamp) - began) < 1_000, 'the time of what came late is when it happened');
  assert.deepEqual(errors, []);
});

for (const [queue, outlives] of [['session', 'a reload'], ['local', 'the tab']]) {
  test(`with data-queue="${queue}" what waits outlives ${outlives}`, async () => {
    const { project, site, road, context } = await set(`data-queue="${queue}"`);
    road.trouble = () => 'cut';
    const browser = await context();
    let { page } = await openPage(browser);
    await page.goto(`${site.url}/one`);
    await page.evaluate(() => analytics.track('kept', 'for later'));
    await road.posted(1);
    await pause(200);
    if (queue === 'local') {
      await page.close({ runBeforeUnload: true });
      ({ page } = await openPage(browser));
      road.trouble = () => undefined;
      await page.goto(`${site.url}/two`);
    } else {
      await page.reload();
      await road.posted(3);
      road.trouble = () => undefined;
      await page.reload();
    }
    const events = await settled(project, queue === 'local' ? 3 : 4);
    assert.equal(events.filter(({ event_action }) => event_action === 'for later').length, 1);
    await pause(100);
    const left = await page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)]);
    assert.deepEqual(left.filter((name) => name.includes('queue')), []);
  });
}

test('503, then 202: the same ids come again after Retry-After, and count once', async () => {
  const { project, site, road, context } = await set();
  road.trouble = () => (road.posts.length === 0 ? { status: 503, headers: { 'retry-after': '2' } } : undefined);
  const { page, errors } = await openPage(await context());
  await page.goto(`${site.url}/busy`);
  await settled(project, 1);
  const [refused, taken] = road.posts;
  assert.deepEqual(taken.ids, refused.ids);
  assert.ok(taken.at - refused.at >= 1_990, `${taken.at - refused.at} ms`);
  assert.deepEqual(await counted(project), { events: 1, sessions: 1, users: 0 });
  assert.equal(await duplicates(project), 0);
  assert.deepEqual(errors, []);
});

test('an answer that is lost: the same ids come again, and count once', async () => {
  const { project, site, road, context } = await set();
  road.trouble = () => (road.posts.length < 2 ? 'deaf' : undefined);
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/deaf`);
  await road.posted(3);
  assert.deepEqual(road.posts[1].ids, road.posts[0].ids);
  assert.deepEqual(road.posts[2].ids, road.posts[0].ids);
  await settled(project, 1);
  assert.deepEqual(await counted(project), { events: 1, sessions: 1, users: 0 });
  assert.equal(await duplicates(project), 2);
});

test('what the collector refuses hurts no neighbour and is not sent again', async () => {
  const { project, site, road, context } = await set();
  const { page, errors, words } = await openPage(await context());
  await page.goto(`${site.url}/`);
  await page.evaluate(() => {
    analytics.track('', 'no type');
    analytics.track('a'.repeat(101), 'long type');
    analytics.track('fine', 'one');
    analytics.track('large', 'metadata', { text: 'x'.repeat(40_000) });
    analytics.track('fine', 'two');
  });
  assert.deepEqual(actions(await settled(project, 3)), ['view', 'one', 'two']);
  await pause(1_500);
  const sent = road.posts.flatMap(({ ids }) => ids);
  assert.equal(new Set(sent).size, sent.length, 'nothing went twice');
  assert.ok(words.some((word) => word.startsWith('warning: analytics: refused')), words.join('\n'));
  assert.deepEqual(errors, []);
});

test('a key that nobody knows is told in the console, and tried no further', async () => {
  const { site, road, context } = await set('', {
    head: (road) => `<script defer src="${road.url}/tracker.js" data-key="no-such-write-key" data-wait="50"></script>`,
  });
  const { page, words } = await openPage(await context());
  await page.goto(`${site.url}/`);
  await road.posted(1);
  await pause(2_000);
  assert.equal(road.posts.length, 1);
  assert.ok(words.some((word) => word.includes('analytics: refused 401')), words.join('\n'));
});

test('a clock that is wrong by a day falsifies nothing', async () => {
  const { project, site, context } = await set();
  const browser = await context();
  await browser.addInitScript(() => {
    const { now } = Date;
    Date.now = () => now() + 86_400_000;
  });
  const { page } = await openPage(browser);
  await page.goto(`${site.url}/`);
  const [event] = await settled(project, 1);
  assert.ok(Math.abs(Date.parse(event.timestamp) - Date.now()) < 60_000);
});
