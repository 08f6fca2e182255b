// From a visit of a page of ours to the figures of that visit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from '../../../sdk/browser/test/browser/stand/chromium.mjs';
import { openSite, tag } from '../../../sdk/browser/test/browser/stand/site.mjs';
import { KEYS, send } from './stand/server.mjs';
import { stage } from './stand/stage.mjs';
import { whole } from './stand/visit.mjs';

const set = stage(async () => {});

test('a visitor of a page of ours is on the dashboard a moment later, live and counted', async () => {
  const { server, browser } = set;
  const site = await openSite(() => tag({ url: server.url }, { writeKey: KEYS.shop.write }));
  const { page: live, faults, close } = await set.open({ hash: '#/live?tz=UTC' });
  await live.locator('.standing.is-live').waitFor();

  const visitor = await browser.newContext();
  const { page, errors } = await openPage(visitor);
  await page.goto(`${site.url}/pricing`);
  await page.evaluate(() => history.pushState({}, '', '/sign-up'));
  await page.evaluate(() => {
    analytics.track('account', 'signup', { plan: 'team' });
    analytics.identify('ann@example.com');
  });
  await page.evaluate(() => history.pushState({}, '', '/welcome'));
  await visitor.setOffline(true);
  await page.evaluate(() => analytics.track('account', 'in a tunnel'));
  await live.waitForTimeout(1_500);
  await visitor.setOffline(false);
  // What waits when it is closed comes as a beacon.
  await page.evaluate(() => analytics.track('account', 'goodbye'));
  await page.close({ runBeforeUnload: true });

  const ticked = live.locator('.stream .timeline summary');
  await live.waitForFunction(() => document.querySelectorAll('.stream .timeline li').length === 6, undefined, {
    timeout: 15_000,
  });
  const told = (await ticked.allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim());
  for (const action of [
    'account · signup',
    'account · in a tunnel',
    'account · goodbye',
    'page · view /pricing',
    'page · view /welcome',
  ]) {
    assert.ok(
      told.some((text) => text.startsWith(action)),
      `${action}: ${told.join(', ')}`,
    );
  }
  await live.waitForFunction(() => document.querySelector('.people-now')?.textContent === '1', undefined, { timeout: 15_000 });

  // The list goes on where it was after the page was not looked at.
  await live.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await live.locator('.standing.is-paused').waitFor();
  await send(server, 'shop', [{ session_id: 's2', event_type: 'page', event_action: 'unseen', metadata: { path: '/unseen' } }]);
  await live.waitForTimeout(500);
  assert.equal(await ticked.count(), 6);
  await live.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: false, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await live.waitForFunction(() => document.querySelectorAll('.stream .timeline li').length === 7, undefined, {
    timeout: 15_000,
  });

  await live.goto(`/#/overview?range=today&tz=UTC`);
  await whole(live);
  const overview = await live.locator('main').innerText();
  for (const text of ['/pricing', '/sign-up', '/welcome', 'signup', 'goodbye'])
    assert.ok(overview.includes(text), `${text}: ${overview}`);

  await live.goto('/#/sessions?range=today&tz=UTC');
  await live.getByRole('link', { name: 'ann@example.com' }).click();
  await whole(live);
  // Before the name was known too: all of the session is hers.
  assert.equal(await live.locator('.timeline li').count(), 6);
  assert.deepEqual(faults(), []);
  assert.deepEqual(errors, []);
  await close();
  await visitor.close();
  await site.close();
});

test('who was away too long is told that events were missed, and sees what comes', async () => {
  const { server } = set;
  const { page, faults, close } = await set.open({ hash: '#/live?tz=UTC' });
  await page.locator('.standing.is-live').waitFor();
  const show = (isHidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, isHidden);
  await send(server, 'shop', [{ session_id: 'm', event_type: 'many', event_action: 'first' }]);
  await page.getByText('many · first').waitFor();
  await show(true);
  const many = Array.from({ length: 12_000 }, (_, number) => ({
    session_id: 'm',
    event_type: 'many',
    event_action: `number ${number}`,
  }));
  await send(server, 'shop', many);
  await show(false);
  await page.getByText(/events are not shown here/i).waitFor();
  await send(server, 'shop', [{ session_id: 'm', event_type: 'many', event_action: 'after' }]);
  await page.getByText('many · after').waitFor();
  assert.equal(await page.locator('.stream .timeline li').count(), 100);
  assert.deepEqual(faults(), []);
  await close();
});
