// A key that is made on the page sends from a web page, and an export is of the project that is looked at.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { openPage } from '../../../sdk/browser/test/browser/stand/chromium.mjs';
import { openSite } from '../../../sdk/browser/test/browser/stand/site.mjs';
import { ask, KEYS, pause, send } from './stand/server.mjs';
import { stage } from './stand/stage.mjs';
import { whole } from './stand/visit.mjs';

const set = stage(async () => {});

/** Sends an event with a key until the answer is this one, within ten seconds. */
const becomes = async (key, status) => {
  const event = { session_id: 'probe', event_type: 'probe', event_action: 'probe' };
  for (const deadline = Date.now() + 10_000; ; await pause(100)) {
    const answer = await fetch(`${set.server.url}/collect?key=${key}`, { method: 'POST', body: JSON.stringify(event) });
    if (answer.status === status) return;
    assert.ok(Date.now() < deadline, `it is ${answer.status} and not ${status} after ten seconds`);
  }
};

test('the tag that is shown with a new key is all that a site needs, until the key is revoked', async () => {
  const { page, faults, close } = await set.open({ hash: '#/settings?tz=UTC' });
  await whole(page);
  await page.getByLabel('Name of a new key').fill('<b>my site</b>');
  await page.getByRole('combobox', { name: /^May/ }).selectOption('write');
  await page.getByRole('button', { name: 'Make key' }).click();
  const shown = page.getByRole('status').locator('.secret');
  await shown.nth(1).waitFor();
  const [key, tag] = await shown.allInnerTexts();
  assert.match(key, /^[\w-]{43}$/);
  assert.equal(tag, `<script defer src="${set.server.url}/tracker.js" data-key="${key}"></script>`);
  await becomes(key, 202);

  const site = await openSite(() => tag);
  const visitor = await set.browser.newContext();
  const { page: visited, errors } = await openPage(visitor);
  await visited.goto(`${site.url}/made`);
  const question = { metrics: ['events'], date_range: 'all', filters: [['is', 'metadata.path', ['/made']]] };
  for (const deadline = Date.now() + 15_000; ; await pause(100)) {
    const { results } = await ask(set.server, 'shop', '/api/query', question);
    if (results[0]?.metrics[0] === 1) break;
    assert.ok(Date.now() < deadline, 'the visit is not counted');
  }
  assert.deepEqual(errors, []);

  await page.getByRole('button', { name: 'I have kept it' }).click();
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: 'Revoke <b>my site</b>' }).click();
  await page.getByRole('rowheader', { name: '<b>my site</b>' }).waitFor({ state: 'detached' });
  await becomes(key, 401);
  assert.deepEqual(faults(), []);
  await visitor.close();
  await site.close();
  await close();
});

test('an export is of the project that is looked at, the second of a session too', async () => {
  for (const project of ['shop', 'odd']) {
    await send(set.server, project, [{ session_id: project, event_type: 'of', event_action: project }]);
  }
  const { page, context, close } = await set.open({ hash: '#/explore?range=30d&tz=UTC&project=odd' });
  const signedIn = await context.request.post('/api/session', {
    data: { key: KEYS.odd.read },
    headers: { origin: set.server.url, 'sec-fetch-site': 'same-origin' },
  });
  assert.equal(signedIn.status(), 201);
  for (const project of ['odd', 'shop']) {
    await page.goto(`/?${project}#/explore?range=30d&tz=UTC&project=${project}`);
    await whole(page);
    await page.getByText('This question for a script').click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'JSON lines' }).click()]);
    const events = (await readFile(await download.path(), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const actions = events.map(({ event_action }) => event_action);
    assert.ok(actions.includes(project) && !actions.includes(project === 'odd' ? 'shop' : 'odd'), `${project}: ${actions}`);
  }
  await close();
});
