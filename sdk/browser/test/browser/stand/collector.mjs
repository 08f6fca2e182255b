// A running `analytics serve`, with a project and keys for each test.
import { pause, serve } from './serve.mjs';

export { pause };

const PROJECTS = 40;

const project = (number) => ({
  name: `project-${number}`,
  writeKey: `write-key-number-${1000 + number}`,
  readKey: `read-key-number-${1000 + number}`,
});

/** Starts it with these variables; `close` ends it and removes its folder. What it keeps is what it was sent, unless said. */
export const startCollector = async (variables = {}) => {
  const projects = Array.from({ length: PROJECTS }, (_, number) => project(number));
  const keys = (of) => projects.map(of).join(',');
  const { url, close } = await serve({
    WRITE_KEYS: keys(({ writeKey, name }) => `${writeKey}:${name}`),
    API_KEYS: keys(({ readKey, name }) => `${readKey}:${name}:read`),
    ENRICH: 'none',
    ...variables,
  });
  let given = 0;
  return {
    url,
    /** A project that no other test has. */
    project: () => ({ ...projects[given++], url }),
    close,
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
