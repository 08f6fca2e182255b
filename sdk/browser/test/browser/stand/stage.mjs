// All that a test needs: a collector and a browser for a file, a road, a site and a project for each test.
import { after, before } from 'node:test';
import { openBrowser } from './chromium.mjs';
import { startCollector } from './collector.mjs';
import { openRoad } from './road.mjs';
import { openSite, tag } from './site.mjs';

/** Sets the stage for a file; gives what sets it for a test. */
export const stage = () => {
  let collector;
  let browser;
  const open = [];
  before(async () => {
    collector = await startCollector();
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await Promise.all(open.map((one) => one.close()));
    await collector?.close();
  });
  /** A site whose pages have the tag with these attributes, or what `head` makes of road and project. */
  return async (attributes = '', { head, headers } = {}) => {
    const project = collector.project();
    const road = await openRoad(collector.url);
    const site = await openSite(() => head?.(road, project) ?? tag(road, project, attributes), headers);
    open.push(road, site);
    return { project, road, site, browser, context: () => browser.newContext({ reducedMotion: 'reduce' }) };
  };
};
