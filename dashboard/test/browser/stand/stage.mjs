// All that a file of tests needs: a server that is filled, and a browser.
import { after, before } from 'node:test';
import { openBrowser } from '../../../../sdk/browser/test/browser/stand/chromium.mjs';
import { fill, startServer } from './server.mjs';
import { visit } from './visit.mjs';

/** Sets the stage for a file; `more` is done to the server before the first test. */
export const stage = (more = fill) => {
  const set = { server: undefined, browser: undefined, open: (options) => visit(set.browser, set.server, options) };
  before(async () => {
    set.server = await startServer();
    await more(set.server);
    set.browser = await openBrowser();
  });
  after(async () => {
    await set.browser?.close();
    await set.server?.close();
  });
  return set;
};
