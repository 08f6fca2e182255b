// The road between a page and the collector: it can be closed, and tells what went over it.
import { createServer, request as ask } from 'node:http';
import { pause } from './collector.mjs';

/**
 * Passes everything on to `target`. What `road.trouble` gives for a posted body is answered instead: `{ status, headers }`,
 * `'cut'` (nothing goes on, the connection ends) or `'deaf'` (it goes on, and the answer is lost).
 */
export const openRoad = async (target) => {
  const road = { posts: [], trouble: () => undefined };
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    let trouble;
    if (request.method === 'POST') {
      const { events } = JSON.parse(body.toString());
      trouble = road.trouble(events);
      const { cookie, origin } = request.headers;
      const ids = events.map(({ id }) => id);
      road.posts.push({ url: request.url, events, ids, bytes: body.length, trouble, cookie, origin, at: Date.now() });
    } else if (request.method === 'OPTIONS') road.posts.push({ preflight: true, events: [], ids: [] });
    if (trouble === 'cut') return request.socket.destroy();
    if (trouble?.status) {
      const headers = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after' };
      return response.writeHead(trouble.status, { ...headers, ...trouble.headers }).end('{}');
    }
    // The collector under another name, as a proxy of one's own would have it.
    const path = request.url.replace(/^\/other\/name/, '/collect');
    const { method, headers } = request;
    const onward = ask(new URL(path, target), { method, headers: { ...headers, host: new URL(target).host } }, (answer) => {
      if (trouble === 'deaf') {
        answer.resume();
        return request.socket.destroy();
      }
      response.writeHead(answer.statusCode, answer.headers);
      return answer.pipe(response);
    });
    onward.once('error', () => request.socket.destroy());
    onward.end(body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  road.url = `http://127.0.0.1:${server.address().port}`;
  road.close = () => new Promise((done) => server.close(done).closeAllConnections());
  /** Waits for `count` posted bodies. */
  road.posted = async (count) => {
    for (const deadline = Date.now() + 15_000; road.posts.length < count; await pause(20)) {
      if (Date.now() > deadline) throw new Error(`${road.posts.length} bodies were posted and not ${count}`);
    }
    return road.posts;
  };
  return road;
};
