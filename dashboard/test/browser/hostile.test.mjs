// Names that want to be more than text, and more of them than anybody can read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { send } from './stand/server.mjs';
import { stage } from './stand/stage.mjs';
import { sizes, whole } from './stand/visit.mjs';

const HOSTILE = [
  '<img src=x onerror="window.hurt=1">',
  '"><script>window.hurt=1</script>',
  "'; DROP TABLE raw_events; --",
  'שלום \u202Eevil\u202C',
  '👩‍👩‍👧‍👦 🏳️‍🌈',
  '${7*7}{{7*7}}',
  '%00%ff#/?&=',
  'x'.repeat(180),
];
const VALUES = 10_000;

const odd = HOSTILE.flatMap((text, number) => [
  {
    session_id: `odd ${number} ${text}`.slice(0, 64),
    user_id: text,
    event_type: text.slice(0, 100),
    event_action: text,
    metadata: { path: text, country: text, referrer: text, [text]: text },
  },
  {
    session_id: `odd ${number} ${text}`.slice(0, 64),
    user_id: text,
    event_type: 'page',
    event_action: 'view',
    metadata: { path: `/${text}`, country: text },
  },
]);
const many = Array.from({ length: VALUES }, (_, number) => ({
  session_id: `m${number % 500}`,
  event_type: 'many',
  event_action: `action ${number}`,
  metadata: { value: `value ${number}`, path: `/${number}` },
}));

const set = stage(async (server) => {
  await send(server, 'odd', many);
  await send(server, 'odd', odd);
});

const VIEWS = ['overview', 'explore', 'funnels', 'retention', 'paths', 'sessions', 'live'];

test('in every view they are text', async () => {
  const { page, faults, close } = await set.open({ project: 'odd' });
  const looked = async () => {
    await whole(page);
    assert.equal(await page.evaluate(() => window.hurt), undefined);
    assert.equal(await page.locator('main img, main script, main iframe').count(), 0);
    const { scrollWidth, clientWidth } = await page.evaluate(sizes);
    assert.ok(scrollWidth <= clientWidth, `${scrollWidth} pixels do not fit into ${clientWidth}: ${page.url()}`);
    const size = await page.evaluate(() => document.querySelectorAll('*').length);
    assert.ok(size < 6_000, `${size} elements: ${page.url()}`);
  };
  const filters = [JSON.stringify([['exists', 'metadata.country']]), ''];
  for (const view of VIEWS) {
    for (const filter of filters) {
      await page.goto(`/#/${view}?${new URLSearchParams({ range: '7d', tz: 'UTC', filter })}`);
      await looked();
    }
  }
  for (const text of HOSTILE) {
    for (const view of ['overview', 'explore', 'paths']) {
      const filter = JSON.stringify([['is', 'metadata.path', [text]]]);
      const paths = JSON.stringify({ from: { filters: [['is', 'metadata.path', [text]]] }, name: 'event_action' });
      await page.goto(`/#/${view}?${new URLSearchParams({ range: '7d', tz: 'UTC', filter, paths })}`);
      await looked();
      const shown = await page.locator('main, .selection').allTextContents();
      assert.ok(shown.join('').includes(text.slice(0, 20)), `${text} in ${view}: ${shown.join('').slice(0, 2_000)}`);
    }
    await page.goto(`/#/person/${encodeURIComponent(text)}?tz=UTC`);
    await looked();
    assert.equal(await page.locator('.timeline li').count(), 2, text);
    await page.locator('.timeline summary').first().click();
    await page.locator('.timeline summary').last().click();
    assert.ok((await page.locator('main').textContent()).includes(text), text);
  }
  assert.deepEqual(faults(), []);
  await close();
});

test('whatever stands in an address, the page says what it is', async () => {
  const { page, faults, close } = await set.open({ project: 'odd' });
  for (const hash of [
    `#/${encodeURIComponent(HOSTILE[0])}`,
    `#/session/${encodeURIComponent(HOSTILE[0])}?tz=UTC`,
    '#/session',
    '#/funnels?funnel={"steps":[{"filters":[["<b>"]]},{"filters":[["is","metadata.path",[{}]]]}]}&tz=UTC',
    '#/overview?filter=[["nonsense","<img src=x onerror=alert(1)>"]]&range=7d&tz=UTC',
    '#/overview?range=<img src=x onerror=alert(1)>&tz=UTC',
    '#/overview?tz=Nowhere/Land&range=7d',
    '#/%E0%A4%A?%%%',
  ]) {
    await page.goto(`/${hash}`);
    await whole(page);
    const text = await page.locator('main').innerText();
    assert.ok(text.trim().length > 10, `${hash}: ${text}`);
    assert.equal(await page.locator('main img').count(), 0);
  }
  // What the API refuses stands in the console as its status, which no page can prevent.
  assert.deepEqual(
    faults().filter((word) => !/status of 40[04]/.test(word)),
    [],
  );
  await close();
});

test('among ten thousand values the one that is looked for is found', async () => {
  const { page, close } = await set.open({ project: 'odd', hash: '#/sessions?range=7d&tz=UTC' });
  await whole(page);
  await page.keyboard.press('f');
  await page.getByLabel('Property').fill('value');
  await page.getByRole('option', { name: 'metadata.value', exact: true }).click();
  await page.getByLabel('Value', { exact: true }).fill('value 9876');
  await page.getByRole('option', { name: 'value 9876', exact: true }).click();
  await page.getByRole('button', { name: 'Add filter' }).click();
  await whole(page);
  assert.equal(await page.locator('.visits tbody tr').count(), 1);
  await close();
});
