// A running `analytics serve`, with a project and keys for each test.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECTS = 40;

const root = fileURLToPath(new URL('../../../../../', import.meta.url));

/** The program: that of ANALYTICS_PROGRAM, else the one that cargo built. */
const program = () => {
  const built = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug', 'analytics');
  const path = process.env.ANALYTICS_PROGRAM ?? built;
  if (!existsSync(path)) throw new Error(`${path} is not there: cargo build --package analytics, or set ANALYTICS_PROGRAM`);
  return path;
};

export const freePort = async () => {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
};

export const pause = (time) => new Promise((done) => setTimeout(done, time));

const project = (number) => ({
  name: `project-${number}`,
  writeKey: `write-key-number-${1000 + number}`,
  readKey: `read-key-number-${1000 + number}`,
});

/** Starts it with these variables; `close` ends it and removes its folder. What it keeps is what it was sent, unless said. */
export const startCollector = async (variables = {}) => {
  const path = program();
  const folder = mkdtempSync(join(tmpdir(), 'analytics-tracker-'));
  const port = await freePort();
  const projects = Array.from({ length: PROJECTS }, (_, number) => project(number));
  const keys = (of) => projects.map(of).join(',');
  const child = spawn(path, ['serve'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PORT: `${port}`, DATA_DIR: folder, LOG_LEVEL: 'warn', DURABILITY: 'fast', BATCH_LINGER_MS: '5',
      WRITE_KEYS: keys(({ writeKey, name }) => `${writeKey}:${name}`),
      API_KEYS: keys(({ readKey, name }) => `${readKey}:${name}:read`),
      ENRICH: 'none',
      ...variables,
    },
  });
  const ended = new Promise((done) => child.once('exit', done));
  const url = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + 20_000; ; await pause(50)) {
    if (await fetch(`${url}/health`).then(({ ok }) => ok, () => false)) break;
    if (child.exitCode !== null || Date.now() > deadline) throw new Error('analytics serve does not come up');
  }
  let given = 0;
  return {
    url,
    /** A project that no other test has. */
    project: () => ({ ...projects[given++], url }),
    close: async () => {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

const ask = async ({ url, readKey }, path, question) => {
  const headers = { authorization: `Bearer ${readKey}`, 'cache-control': 'no-cache', 'content-type': 'application/json' };
  const asked = question && { method: 'POST', body: JSON.stringify(question) };
  const response = await fetch(url + path, { headers, ...asked });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
};

/** The stored events of a project in the order of time and id, as the API tells them. */
export const storedEvents = async (of) => (await ask(of, '/api/events?range=all&limit=1000')).results.toReversed();

/** How many events, sessions and users the API counts. */
export const counted = async (of) => {
  const metrics = ['events', 'sessions', 'users'];
  const { results } = await ask(of, '/api/query', { metrics, date_range: 'all' });
  const [events, sessions, users] = results[0].metrics;
  return { events, sessions, users };
};

/** What became of what was received. */
export const integrity = (of) => ask(of, '/api/integrity');

/** The stored events once they are `count`; that no more come is waited for. */
export const settled = async (of, count) => {
  let events = [];
  for (const deadline = Date.now() + 15_000; ; await pause(50)) {
    events = await storedEvents(of);
    if (events.length >= count || Date.now() > deadline) break;
  }
  await pause(300);
  events = await storedEvents(of);
  if (events.length !== count) {
    const shown = events.map(({ event_type, event_action, metadata }) => `${event_type}/${event_action} ${metadata.path}`);
    throw new Error(`${events.length} events and not ${count}: ${shown.join(', ')}`);
  }
  return events;
};
