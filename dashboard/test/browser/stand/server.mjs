// A server with something to look at.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pause, program, serve } from '../../../../sdk/browser/test/browser/stand/serve.mjs';

export { pause };

/** The keys of the projects, by what they may do. */
export const KEYS = {
  shop: { write: 'shop-write-key-0001', read: 'shop-read-key-00001', admin: 'shop-admin-key-0001' },
  odd: { write: 'odd-write-key-00001', read: 'odd-read-key-000001', admin: 'odd-admin-key-00001' },
};

const keysOf = (project) => {
  const { read, admin } = KEYS[project];
  return `${read}:${project}:read,${admin}:${project}:admin`;
};

/** Starts one with the projects `shop` and `odd`. */
export const startServer = () =>
  serve({
    API_KEYS: Object.keys(KEYS).map(keysOf).join(','),
    WRITE_KEYS: Object.entries(KEYS)
      .map(([project, { write }]) => `${write}:${project}`)
      .join(','),
  });

/** Asks as a script would. */
export const ask = async ({ url }, project, path, body) => {
  const headers = {
    authorization: `Bearer ${KEYS[project].admin}`,
    'content-type': 'application/json',
    'cache-control': 'no-cache',
  };
  const response = await fetch(url + path, { headers, ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
};

/** Waits until everything of a project that was accepted is in its answers; gives how many events that are. */
const settled = async (server, project, events) => {
  for (const deadline = Date.now() + 30_000; ; await pause(100)) {
    const { results } = await ask(server, project, '/api/query', { metrics: ['events'], date_range: 'all' });
    const count = results[0]?.metrics[0] ?? 0;
    if (count >= events) return count;
    if (Date.now() > deadline) throw new Error(`${count} events of ${project} are stored and not ${events}`);
  }
};

/** Fills `shop` with a month of made-up visitors. */
export const fill = async (server, { days = 30, visitors = 60 } = {}) => {
  const told = [
    'demo',
    '--url',
    server.url,
    '--days',
    `${days}`,
    '--visitors',
    `${visitors}`,
    '--live',
    '0',
    '--key',
    KEYS.shop.write,
  ];
  const { stdout } = await promisify(execFile)(program(), told, { env: {} });
  const sent = Number(/(\d+) events of made-up visitors were accepted/.exec(stdout)?.[1]);
  if (!(sent > 0)) throw new Error(`the demo sent nothing: ${stdout}`);
  await settled(server, 'shop', sent);
};

/** Sends events to a project, and waits for them. */
export const send = async (server, project, events) => {
  const before = await settled(server, project, 0);
  const headers = { 'content-type': 'application/json', 'x-write-key': KEYS[project].write };
  for (let at = 0; at < events.length; at += 1_000) {
    const body = JSON.stringify({ events: events.slice(at, at + 1_000) });
    const answer = await (await fetch(`${server.url}/collect`, { method: 'POST', headers, body })).json();
    if (answer.rejected?.length !== 0) throw new Error(`not all were taken: ${JSON.stringify(answer).slice(0, 500)}`);
  }
  return settled(server, project, before + events.length);
};
