// What is counted as what, on real pages; what was stored is asked of the API.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, openUndriven } from './stand/chromium.mjs';
import { counted, pause, settled } from './stand/collector.mjs';
import { stage } from './stand/stage.mjs';
import { tag } from './stand/site.mjs';

const set = stage();
const views = (events) => events.filter((event) => event.event_action === 'view').map(({ metadata }) => metadata.path);

test('pages of a site are views of one session, with where they come from', async () => {
  const { project, site, context } = await set();
  const { page, errors } = await openPage(await context());
  const { host } = new URL(site.url);
  const from = 'https://search.example/';
  const campaign = 'utm_source=letter&utm_medium=email&utm_campaign=may&utm_term=t&utm_content=c&utm_other=x';
  await page.goto(`${site.url}/a?${campaign}&q=secret`, { referer: from });
  await settled(project, 1);
  await page.evaluate(() => { location.href = '/b'; });
  const [first, second] = await settled(project, 2);
  assert.deepEqual(first.metadata, {
    host, path: '/a', title: 'page /a', referrer: from,
    utm_source: 'letter', utm_medium: 'email', utm_campaign: 'may', utm_term: 't', utm_content: 'c', utm_other: 'x',
  });
  assert.deepEqual(second.metadata, { host, path: '/b', title: 'page /b' });
  assert.deepEqual([first.event_type, first.event_action], ['page', 'view']);
  assert.equal(first.user_id, null);
  assert.deepEqual(await counted(project), { events: 2, sessions: 1, users: 0 });
  assert.deepEqual(errors, []);
});

test('a page that nobody led to says so once', async () => {
  const { project, site, context } = await set();
  const { page, errors } = await openPage(await context());
  await page.goto(`${site.url}/start`);
  await settled(project, 1);
  await page.evaluate(() => history.pushState({}, '', '/next'));
  const [first, second] = await settled(project, 2);
  assert.deepEqual([first.metadata.referrer, 'referrer' in second.metadata], ['', false]);
  assert.deepEqual(errors, []);
});

test('an application that writes the history has a view for each path, and none twice', async () => {
  const { project, site, context } = await set();
  const { page, errors } = await openPage(await context());
  await page.goto(`${site.url}/start`);
  await settled(project, 1);
  await page.evaluate(() => {
    history.pushState({ a: 1 }, '', '/one');
    document.title = 'one';
    history.replaceState({}, '', '/one');
    history.replaceState({}, '', '/one?sort=up');
    history.pushState({}, '', '/one?sort=down#top');
    history.pushState({}, '', '/two');
    document.title = 'two';
  });
  await settled(project, 3);
  await page.evaluate(() => history.go(-1));
  await page.waitForFunction(() => location.pathname === '/one');
  await page.evaluate(() => { location.hash = 'bottom'; });
  const events = await settled(project, 4);
  assert.deepEqual(views(events), ['/start', '/one', '/two', '/one']);
  assert.deepEqual(events.slice(1, 3).map(({ metadata }) => metadata.title), ['one', 'two']);
  assert.deepEqual(await page.evaluate(() => history.state), null);
  assert.deepEqual(errors, []);
});

test('with data-hash the part behind # is a path', async () => {
  const { project, site, context } = await set('data-hash="on"');
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/app#/one`);
  await settled(project, 1);
  await page.evaluate(() => { location.hash = '#/two'; });
  assert.deepEqual(views(await settled(project, 2)), ['/app#/one', '/app#/two']);
});

test('a history that the page may not write throws as it did before', async () => {
  const { project, site, context } = await set();
  const { page } = await openPage(await context());
  await page.goto(site.url);
  await settled(project, 1);
  const thrown = await page.evaluate(() => {
    try {
      history.pushState(() => {}, '', '/x');
      return '';
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(thrown, 'DataCloneError');
});

test('links to elsewhere are told, with neither query nor fragment, those of the site are not', async () => {
  const { project, site, context } = await set();
  const elsewhere = site.url.replace('localhost', '127.0.0.1');
  site.pages['/'] = `<a id="out" href="${elsewhere}/out?token=secret#x"><b><i id="inner">out</i></b></a>
    <a id="in" href="/in">in</a><a id="mail" href="mailto:a@b.example">mail</a>
    <a id="script" href="javascript:void 0">js</a><svg><a id="svg" href="https://x.example"><text y="20">svg</text></a></svg>`;
  const { page, errors } = await openPage(await context());
  await page.goto(`${site.url}/`);
  await page.evaluate(() => {
    for (const name of ['click', 'auxclick']) addEventListener(name, (event) => event.preventDefault());
  });
  for (const id of ['in', 'mail', 'script', 'svg']) await page.dispatchEvent(`#${id}`, 'click');
  await page.click('#out', { button: 'middle' });
  await page.click('#out', { button: 'right' });
  await page.click('#inner');
  const events = (await settled(project, 3)).slice(1);
  for (const event of events) {
    assert.deepEqual([event.event_type, event.event_action], ['link', 'outbound']);
    assert.deepEqual(event.metadata, { host: new URL(site.url).host, path: '/', url: `${elsewhere}/out` });
  }
  assert.deepEqual(errors, []);
});

test('a click that leaves the site is told though the page ends', async () => {
  const { project, site, context } = await set('data-wait="60000"');
  site.pages['/'] = `<a id="out" href="${site.url.replace('localhost', '127.0.0.1')}/blank">out</a>`;
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/`);
  await page.click('#out');
  const [view, click] = await settled(project, 2);
  assert.equal(view.metadata.path, '/');
  assert.equal(click.event_action, 'outbound');
});

test('calls, before the script is there and after, with a user and without', async () => {
  const { project, site, context } = await set('', {
    head: (road, of) => `<script>(window.analytics = window.analytics || []).push(['identify', 'u-1']);
      analytics.push(['track', 'shop', 'early', { n: 1 }])</script>${tag(road, of)}`,
  });
  const { page, errors } = await openPage(await context());
  await page.goto(`${site.url}/shop`);
  await page.evaluate(() => {
    const metadata = { price: 9.5, deep: { list: [1, null, 'x'] }, path: '/of-its-own' };
    analytics.track('shop', 'buy', metadata);
    metadata.price = 0;
    analytics.push(['track', 'shop', 'late']);
    analytics.identify(7);
    analytics.track('shop', 'as 7');
    analytics.identify(null);
    analytics.track('shop', 'as nobody');
    analytics.identify(null);
    analytics.track('shop', 'as nobody still');
    analytics.page('/virtual');
  });
  const events = await settled(project, 8);
  const told = events.map(({ event_action, user_id }) => [event_action, user_id]);
  assert.deepEqual(told, [['early', 'u-1'], ['view', 'u-1'], ['buy', 'u-1'], ['late', 'u-1'], ['as 7', '7'],
    ['as nobody', null], ['as nobody still', null], ['view', null]]);
  const { host } = new URL(site.url);
  assert.deepEqual(events[2].metadata, { host, path: '/of-its-own', price: 9.5, deep: { list: [1, null, 'x'] } });
  assert.equal(events[7].metadata.path, '/virtual');
  const sessions = events.map(({ session_id }) => session_id);
  assert.equal(new Set(sessions.slice(0, 5)).size, 1);
  assert.equal(new Set(sessions.slice(5)).size, 1);
  assert.notEqual(sessions[4], sessions[5]);
  assert.deepEqual(await counted(project), { events: 8, sessions: 2, users: 2 });
  assert.deepEqual(errors, []);
});

test('with data-auto and data-outbound off only what the page tells is told', async () => {
  const { project, site, context } = await set('data-auto="off" data-outbound="off" data-user="u-9"');
  site.pages['/'] = '<a id="out" href="https://x.example/">out</a>';
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/`);
  await page.evaluate(() => {
    addEventListener('click', (event) => event.preventDefault());
    document.querySelector('#out').click();
    history.pushState({}, '', '/moved');
    analytics.page();
  });
  const [view] = await settled(project, 1);
  assert.deepEqual([view.metadata.path, view.user_id], ['/moved', 'u-9']);
});

test('two tabs are two sessions, and neither disturbs the other', async () => {
  for (const queue of ['session', 'local']) {
    const { project, site, context } = await set(`data-queue="${queue}"`);
    const both = await context();
    const tabs = await Promise.all([openPage(both), openPage(both)]);
    await Promise.all(tabs.map(({ page }) => page.goto(`${site.url}/tab`)));
    for (let round = 0; round < 5; round++) {
      await Promise.all(tabs.map(({ page }) => page.evaluate((n) => analytics.track('tab', `round ${n}`), round)));
      await pause(30);
    }
    await settled(project, 12);
    assert.deepEqual(await counted(project), { events: 12, sessions: 2, users: 0 }, queue);
  }
});

test('a page that comes back out of the cache is looked at again', async () => {
  const { project, site, road, context } = await set();
  const { page } = await openPage(await context());
  await page.goto(`${site.url}/first`);
  await page.evaluate(() => { addEventListener('pageshow', (event) => { window.fromCache = event.persisted; }); });
  await settled(project, 1);
  await page.goto(`${site.url}/second`);
  await settled(project, 2);
  await page.evaluate(() => { history.back(); });
  await road.posted(3);
  const events = await settled(project, 3);
  assert.deepEqual(views(events), ['/first', '/second', '/first']);
  assert.equal(new Set(events.map(({ session_id }) => session_id)).size, 1);
  // Else the browser loaded the page anew, and nothing of this was tried.
  assert.equal(await page.evaluate(() => window.fromCache), true);
});

test('a page that is only prepared is no view until it is shown', async () => {
  const { project, site, road } = await set();
  site.pages['/'] = `<script type="speculationrules">{"prerender":[{"urls":["/next"],"eagerness":"immediate"}]}</script>
    <script>setTimeout(() => { location.href = '/next'; }, 4000)</script>`;
  const prepared = new Promise((done) => {
    site.pages['/next'] = (request) => {
      done(request.headers['sec-purpose']);
      return `<script>
        const was = document.prerendering;
        addEventListener('load', () => analytics.track('prepared', String(was)));
      </script>`;
    };
  });
  const browser = openUndriven(`${site.url}/`);
  try {
    assert.match(await prepared, /prerender/);
    await pause(1_500);
    assert.deepEqual(views(await settled(project, 1)), ['/']);
    await road.posted(2);
    const events = await settled(project, 3);
    assert.deepEqual(views(events), ['/', '/next']);
    // Else the browser loaded the page anew, and nothing of this was tried.
    assert.deepEqual(events.map(({ event_action }) => event_action), ['view', 'true', 'view']);
  } finally {
    await browser.close();
  }
});
