// A browser before the dashboard: who signs in, what went wrong, and when everything is there.
import { openPage } from '../../../../sdk/browser/test/browser/stand/chromium.mjs';
import { KEYS } from './server.mjs';

/** The widths that pages are looked at in. */
export const SIZES = { desktop: { width: 1280, height: 860 }, phone: { width: 360, height: 740 } };

/** Where the policy of the page was broken, and errors, as words of the console. */
const listen = () => {
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
    console.error(`policy: ${violatedDirective} ${blockedURI} ${sourceFile}:${lineNumber}`);
  });
  addEventListener('unhandledrejection', ({ reason }) => console.error(`unhandled: ${reason}`));
};

/** Opens the dashboard, signed in to `project` unless that is null. */
export const visit = async (browser, server, { project = 'shop', key, hash = '', theme = 'light', size = 'desktop' } = {}) => {
  const context = await browser.newContext({
    baseURL: server.url,
    viewport: SIZES[size],
    colorScheme: theme,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
  });
  await context.addInitScript(listen);
  if (project !== null) {
    const signedIn = await context.request.post('/api/session', {
      data: { key: key ?? KEYS[project].admin },
      headers: { origin: server.url, 'sec-fetch-site': 'same-origin' },
    });
    if (signedIn.status() !== 201) throw new Error(`signing in: ${signedIn.status()} ${await signedIn.text()}`);
  }
  const { page, errors, words } = await openPage(context);
  await page.goto(`/${hash}`);
  /** What went wrong so far: nothing may. */
  const faults = () => [...errors, ...words.filter((word) => /^(error|warning): /.test(word))];
  return { page, context, faults, close: () => context.close() };
};

/** Waits until every panel has its answer, and the page has been still for a moment. */
export const whole = async (page) => {
  await page.waitForFunction(
    () => {
      const isBusy =
        document.querySelector('[aria-busy="true"], .skeleton, .waiting') !== null || !document.querySelector('main');
      const known = document.querySelector('main')?.textContent ?? '';
      const { settling } = window;
      if (isBusy || settling?.known !== known) window.settling = { known, at: performance.now() };
      else return performance.now() - settling.at > 150;
      return false;
    },
    undefined,
    { polling: 50, timeout: 15_000 },
  );
};

/** How wide what is on the page is, and how wide the window. */
export const sizes = () => {
  const { scrollWidth, clientWidth } = document.documentElement;
  return { scrollWidth, clientWidth };
};
