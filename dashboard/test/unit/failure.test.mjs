import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { ask, beside, chooseProject, whenRefused } from '../../dist-parts/api/ask.js';
import { Failure, failureOf } from '../../dist-parts/api/failure.js';

// A real server; only what a path is beside of is the page's in a browser.
const requests = [];
let answer = {};
const server = createServer(async (request, response) => {
  let text = '';
  for await (const piece of request) text += piece;
  requests.push({ method: request.method, url: request.url, headers: request.headers, text });
  const { status = 200, headers = {}, body = '{}', cut } = answer;
  response.writeHead(status, headers);
  if (cut) return response.write(body, () => request.socket.destroy());
  response.end(body);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
after(() => server.close().closeAllConnections());
const { fetch: real } = globalThis;
globalThis.fetch = (path, options) => real(new URL(path, `http://127.0.0.1:${server.address().port}/under/this/`), options);

const failing = async (path, options) => {
  try {
    await ask(path, options);
  } catch (error) {
    return error;
  }
  return assert.fail('it did not fail');
};
const problem = (status, body, headers = {}) => ({ status, body: JSON.stringify(body), headers });

test('a question goes beside the page, with its project and as JSON', async () => {
  answer = { body: '{"results":[]}' };
  chooseProject('shop');
  assert.deepEqual(await ask('/api/query', { body: { metrics: ['events'] }, fresh: true }), { results: [] });
  chooseProject(undefined);
  await ask('/api/trends?range=7d');
  const [posted, got] = requests.splice(0);
  assert.deepEqual([posted.method, posted.url, posted.text], ['POST', '/under/this/api/query', '{"metrics":["events"]}']);
  assert.deepEqual(
    [posted.headers['x-project'], posted.headers['cache-control'], posted.headers['content-type']],
    ['shop', 'no-cache', 'application/json'],
  );
  assert.deepEqual([got.method, got.url, got.headers['x-project']], ['GET', '/under/this/api/trends?range=7d', undefined]);
  assert.equal(beside('/health'), 'health');
});

test('a problem document tells what is wrong and where', async () => {
  answer = problem(422, { code: 'query_too_large', detail: 'narrow it', path: 'dimensions[0]' });
  const error = await failing('/api/query', { body: {} });
  assert.ok(error instanceof Failure);
  assert.deepEqual(
    [error.status, error.code, error.message, error.path, error.isPassing],
    [422, 'query_too_large', 'narrow it', 'dimensions[0]', false],
  );
});

test('what passes is known from what does not', async () => {
  for (const [status, isPassing] of [
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [422, false],
    [429, true],
    [500, false],
    [502, true],
    [503, true],
    [504, true],
  ]) {
    answer = problem(status, { code: 'x', detail: 'y' }, { 'retry-after': '7' });
    const error = await failing('/api/trends');
    assert.deepEqual([error.status, error.isPassing, error.retryAfter], [status, isPassing, 7]);
  }
});

test('a page of somebody else, and half an answer, are no answer', async () => {
  answer = { status: 502, body: '<html>bad gateway</html>', headers: { 'content-type': 'text/html' } };
  assert.equal((await failing('/api/trends')).code, 'unexpected');
  answer = { body: '{"results":[', headers: { 'content-length': '4000' }, cut: true };
  const broken = await failing('/api/trends');
  assert.deepEqual([broken.status, broken.code, broken.isPassing], [0, 'away', true]);
  assert.equal((await failureOf(new Response('{"code":5}', { status: 500 }))).code, 'unexpected');
});

test('an end of the session is told, and not by the sign-in itself', async () => {
  let told = 0;
  whenRefused(() => told++);
  answer = problem(401, { code: 'unknown_key', detail: 'no' });
  await failing('/api/trends');
  await failing('/api/session', { body: { key: 'wrong' } });
  answer = problem(403, { code: 'unknown_project', detail: 'no' });
  await failing('/api/trends');
  answer = problem(403, { code: 'forbidden_scope', detail: 'no' });
  await failing('/api/trends');
  assert.equal(told, 2);
});

test('what is aborted is no failure', async () => {
  const controller = new AbortController();
  controller.abort();
  assert.equal((await failing('/api/trends', { signal: controller.signal })).name, 'AbortError');
});
