// Debian's Chromium.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

const checked = () => {
  if (!existsSync(executablePath)) throw new Error(`${executablePath} is not there: apt install chromium, or set CHROMIUM`);
  return executablePath;
};

/** A profile's folder, gone with this process: a browser's last children write there after it has ended. */
const profileFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-chromium-'));
  process.once('exit', () => {
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    } catch (error) {
      console.warn(`${folder} stays: ${error.message}`);
    }
  });
  return folder;
};

// The library turns the cache of whole pages off.
const options = () => ({ executablePath: checked(), args, ignoreDefaultArgs: ['--disable-back-forward-cache'] });

/** A browser whose contexts know nothing of each other. */
export const openBrowser = () => chromium.launch(options());

/** A browser whose owner has set something: `preferences` as they lie in the profile. */
export const openProfile = async (preferences) => {
  const folder = profileFolder();
  mkdirSync(join(folder, 'Default'));
  writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences));
  return chromium.launchPersistentContext(folder, options());
};

/** A page, and what went wrong in it: errors that nobody caught, and words of the console. */
export const openPage = async (context) => {
  const page = await context.newPage();
  const errors = [];
  const words = [];
  page.on('pageerror', (error) => errors.push(`${error}`));
  page.on('console', (message) => words.push(`${message.type()}: ${message.text()}`));
  return { page, errors, words };
};

/** A browser that nobody drives: pages that it prepares are stopped where a debugger is attached. `close` ends it. */
export const openUndriven = (url) => {
  const folder = profileFolder();
  const own = ['--headless', '--remote-debugging-port=0', `--user-data-dir=${folder}`];
  const child = spawn(checked(), [...args, ...own, url], { stdio: 'ignore', detached: true });
  const ended = new Promise((done) => child.once('exit', done));
  return {
    close: async () => {
      // Debian's is a script around the program, and the program is many.
      process.kill(-child.pid, 'SIGKILL');
      await ended;
    },
  };
};
