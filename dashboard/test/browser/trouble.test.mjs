// What the page says where something is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEYS, send } from './stand/server.mjs';
import { fill } from './stand/server.mjs';
import { stage } from './stand/stage.mjs';
import { whole } from './stand/visit.mjs';

const VALUES = 3_000;

const set = stage(async (server) => {
  await fill(server, { days: 3, visitors: 20 });
  await send(
    server,
    'shop',
    Array.from({ length: VALUES }, (_, number) => ({
      session_id: 's',
      event_type: 'many',
      event_action: 'one',
      metadata: { value: `value ${number}` },
    })),
  );
});

const signIn = async (page, key) => {
  await page.getByLabel('Key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
};

test('a wrong key, and one that may only send, are told in a sentence; a right one opens the page', async () => {
  const { page, context, faults, close } = await set.open({ project: null, hash: '#/sessions?range=7d&tz=UTC' });
  await page.getByLabel('Key').waitFor();
  // Who is not signed in yet has done nothing wrong.
  assert.deepEqual(faults(), []);
  await signIn(page, 'no-such-key-at-all-1');
  await page.getByRole('alert').getByText('The server does not know this key.').waitFor();
  await signIn(page, KEYS.shop.write);
  await page.getByRole('alert').getByText('This key only sends events.').waitFor();
  await signIn(page, KEYS.shop.read);
  await page.locator('header.bar').waitFor();
  await whole(page);
  // Where the link led to, once it is known who asks.
  assert.match(page.url(), /#\/sessions\?/);
  assert.ok((await page.locator('.visits tbody tr').count()) > 0);
  const [cookie, ...more] = await context.cookies();
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, more], ['analytics_session', true, 'Strict', []]);
  assert.ok(!cookie.value.includes(KEYS.shop.read));
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!kept.includes(KEYS.shop.read) && !kept.includes(cookie.value), kept);
  await close();
});

test('a question that is too large says what to narrow', async () => {
  const filters = [['is', 'event_type', ['many']]];
  const explore = { range: '90d', tz: 'UTC', interval: 'minute', dimension: 'metadata.value', filter: JSON.stringify(filters) };
  const { page, close } = await set.open({ hash: `#/explore?${new URLSearchParams(explore)}` });
  const alert = page.getByRole('alert').first();
  await alert.getByText('This question is too large.').waitFor();
  const text = await alert.innerText();
  assert.match(text, /Ask by fewer properties|Choose a longer interval|Choose a shorter range/, text);
  await close();
});

test('while the server is away the last figures stay, with their age, and come again by themselves', async () => {
  const { page, close } = await set.open({ hash: '#/sessions?range=7d&tz=UTC' });
  await whole(page);
  const before = await page.locator('.visits tbody').innerText();
  assert.ok(before.length > 100);
  await set.server.stop();
  await page.getByRole('button', { name: 'Refresh' }).click();
  const stale = page.locator('.stale');
  await stale.waitFor();
  assert.match(await stale.innerText(), /does not answer.*These figures are from .*(now|seconds? ago|minutes? ago)/s);
  assert.equal(await page.locator('.visits tbody').innerText(), before);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForTimeout(300);
  assert.equal(await stale.count(), 1);
  await set.server.start();
  await page
    .getByRole('button', { name: 'Try again' })
    .click({ timeout: 1_000 })
    .catch(() => {});
  await stale.waitFor({ state: 'detached', timeout: 40_000 });
  assert.equal(await page.locator('.visits tbody').innerText(), before);
  await close();
});

test('a live list that loses its server says so, and goes on when it is back', async () => {
  const { page, close } = await set.open({ hash: '#/live?tz=UTC' });
  await page.locator('.standing.is-live').waitFor();
  await set.server.stop();
  await page.locator('.standing.is-waiting').waitFor();
  assert.match(await page.locator('.standing').innerText(), /Not connected; again in/);
  await set.server.start();
  await page.locator('.standing.is-live').waitFor({ timeout: 40_000 });
  await send(set.server, 'shop', [{ session_id: 'back', event_type: 'back', event_action: 'again' }]);
  await page.getByText('back · again').waitFor();
  await close();
});

test('where no realtime role answers, the page says so and shows the figures alone', async () => {
  const { page, close } = await set.open({ hash: '#/live?tz=UTC' });
  // What the api role alone, and functions, answer there.
  const problem = { status: 404, contentType: 'application/problem+json', body: '{"code":"not_found","status":404}' };
  await page.route(/\/realtime$/, (route) => route.fulfill(problem));
  await page.routeWebSocket(/\/realtime/, (socket) => socket.close());
  await page.reload();
  await page.getByText('No realtime role answers at this address').waitFor();
  await page.locator('.people-now').waitFor();
  await close();
});

test('a session that ends says so, and is where it was after signing in again', async () => {
  const { page, close } = await set.open({ hash: '#/sessions?range=7d&tz=UTC' });
  await whole(page);
  const address = page.url();
  await page.evaluate(() => fetch('/api/session', { method: 'DELETE' }));
  await page.getByRole('button', { name: 'Refresh' }).click();
  await page.getByText('The session has ended').waitFor();
  await signIn(page, KEYS.shop.admin);
  await page.locator('header.bar').waitFor();
  await whole(page);
  assert.equal(page.url(), address);
  assert.ok((await page.locator('.visits tbody tr').count()) > 0);
  await close();
});
