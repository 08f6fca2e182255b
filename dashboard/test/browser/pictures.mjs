// Draws the pictures of the docs: `npm run pictures`, after `cargo build --package analytics`.
import { spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser } from '../../../sdk/browser/test/browser/stand/chromium.mjs';
import { program } from '../../../sdk/browser/test/browser/stand/serve.mjs';
import { openSite, tag } from '../../../sdk/browser/test/browser/stand/site.mjs';
import { fill, KEYS, startServer } from './stand/server.mjs';
import { visit, whole } from './stand/visit.mjs';

const FOLDER = fileURLToPath(new URL('../../../docs/dashboard/', import.meta.url));
/** The most bytes that a picture may have. */
const MOST = 150_000;
const WIDTH = 1100;

/** Pictures by name: where they are taken, how high they are, and in which colours. */
const PICTURES = [
  { name: 'overview', hash: '#/overview?range=30d&tz=UTC&compare=previous_period', height: 860 },
  { name: 'overview-dark', hash: '#/overview?range=30d&tz=UTC', height: 620, theme: 'dark' },
  { name: 'funnels', hash: '#/funnels?range=30d&tz=UTC', height: 800 },
  { name: 'retention', hash: '#/retention?range=30d&tz=UTC', height: 620 },
  { name: 'paths', hash: '#/paths?range=30d&tz=UTC&paths={"depth":3,"limit":3}', height: 760 },
];

const server = await startServer();
const browser = await openBrowser();

const draw = async (page, name) => {
  const path = join(FOLDER, `${name}.png`);
  await page.screenshot({ path });
  const { size } = statSync(path);
  console.log(`${name}.png: ${size} bytes`);
  if (size > MOST) throw new Error(`${name}.png has ${size} bytes, and may have ${MOST}`);
};

try {
  mkdirSync(FOLDER, { recursive: true });
  await fill(server, { days: 60, visitors: 120 });
  for (const { name, hash, height, theme } of PICTURES) {
    const { page, close } = await visit(browser, server, { hash, ...(theme ? { theme } : {}) });
    await page.setViewportSize({ width: WIDTH, height });
    await whole(page);
    await draw(page, name);
    await close();
  }

  // People who are there now, and one of them on a page of ours with the tracker.
  const told = ['demo', '--url', server.url, '--days', '0', '--live', '12', '--key', KEYS.shop.write];
  const demo = spawn(program(), told, { env: {}, stdio: 'ignore' });
  const ended = new Promise((done) => demo.once('exit', done));
  const { page, close } = await visit(browser, server, { hash: '#/live?tz=UTC' });
  await page.setViewportSize({ width: WIDTH, height: 900 });
  await ended;
  await page.getByRole('button', { name: 'Refresh' }).click();
  await whole(page);
  await draw(page, 'live');

  const site = await openSite(() => tag({ url: server.url }, { writeKey: KEYS.shop.write }));
  const visitor = await (await browser.newContext()).newPage();
  await page.goto('/#/live?tz=UTC&filter=[["contains","metadata.host",["localhost"]]]');
  await page.setViewportSize({ width: WIDTH, height: 900 });
  await page.locator('.standing.is-live').waitFor();
  await visitor.goto(`${site.url}/pricing`);
  await visitor.evaluate(() => history.pushState({}, '', '/sign-up'));
  await visitor.evaluate(() => analytics.track('commerce', 'order_paid', { plan: 'team', price: 49 }));
  await page.getByText('commerce · order_paid').click();
  await whole(page);
  const stream = page.locator('section.panel', { has: page.locator('.stream') });
  await stream.evaluate((element) => element.scrollIntoView());
  await draw(stream, 'tracker');
  await close();
  await site.close();
} finally {
  await browser.close();
  await server.close();
}
