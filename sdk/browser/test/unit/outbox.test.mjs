import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, beforeEach, test } from 'node:test';
import { outbox } from '../../dist/parts/outbox.js';

// A real server over a real `fetch`; of the browser only what node has not: beacons.
const beacons = [];
let beacon = () => true;
Object.defineProperty(globalThis, 'navigator', {
  value: { sendBeacon: (url, text) => beacon() && !!beacons.push(JSON.parse(text).events.map(({ id }) => id)) },
  configurable: true,
});

// An outbox tries for ever; only the server keeps the tests running.
const { setTimeout: wait } = globalThis;
globalThis.setTimeout = (...given) => wait(...given).unref();

const requests = [];
let answers = [];
const server = createServer(async (request, response) => {
  let text = '';
  for await (const piece of request) text += piece;
  const { events } = JSON.parse(text);
  requests.push({ ids: events.map(({ id }) => id), at: Date.now(), type: request.headers['content-type'] });
  const { status = 202, headers = {}, answer = { accepted: 1, ids: [], rejected: [] } } = answers.shift() ?? {};
  if (status === 0) return request.socket.destroy();
  response.writeHead(status, headers).end(typeof answer === 'string' ? answer : JSON.stringify(answer));
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
after(() => server.close().closeAllConnections());
const url = new URL(`http://127.0.0.1:${server.address().port}/collect?key=k`);

const { warn } = console;
let warnings = [];
beforeEach(() => {
  requests.length = beacons.length = 0;
  answers = [];
  warnings = [];
  console.warn = (...words) => warnings.push(words);
  beacon = () => true;
});
after(() => { console.warn = warn; });

let made = 0;
const event = (metadata = {}) => ({
  id: `e${made++}`, session_id: 's', event_type: 't', event_action: 'a', metadata, timestamp: Date.now(),
});
const closed = (store = {}, size = 3, wait = 20) => {
  const [open, add, retry, leave] = outbox(url, store, 'p.', size, wait, () => {});
  return { open, add, retry, leave };
};
const box = (...given) => {
  const made = closed(...given);
  made.open();
  return made;
};
const until = async (holds, what) => {
  for (const deadline = Date.now() + 8000; !holds(); await new Promise((done) => setTimeout(done, 5))) {
    if (Date.now() > deadline) assert.fail(`${what}: ${JSON.stringify(requests)}`);
  }
};
const waiting = (store) => Object.values(store).flatMap((text) => JSON.parse(text)).map(({ id }) => id);

test('events gather for a while, and go at once when they are enough', async () => {
  const sending = box({}, 3, 100);
  const [a, b, c, d] = [event(), event(), event(), event()];
  sending.add(a);
  sending.add(b);
  await until(() => requests.length === 1, 'the wait');
  assert.deepEqual(requests[0].ids, [a.id, b.id]);
  assert.match(requests[0].type, /^text\/plain/);
  await new Promise((done) => setTimeout(done, 30));
  const began = Date.now();
  for (const one of [c, d, event()]) sending.add(one);
  await until(() => requests.length === 2, 'the size');
  assert.ok(requests[1].at - began < 90, 'three events need not wait');
});

for (const failure of [{ status: 503 }, { status: 500 }, { status: 429 }, { status: 408 }, { status: 0 },
  { status: 200, answer: '<html>sign in to this network</html>' }]) {
  test(`${JSON.stringify(failure)} brings the same events again`, async () => {
    const tries = failure.status === 503 ? 2 : 1;
    answers = Array.from({ length: tries }, () => failure);
    const store = {};
    const sending = box(store);
    const events = [event(), event(), event()];
    events.forEach(sending.add);
    await until(() => Object.keys(store).length === 1, 'what is kept');
    assert.deepEqual(waiting(store), events.map(({ id }) => id));
    await until(() => requests.length === tries + 1, 'the last try');
    for (const { ids } of requests) assert.deepEqual(ids, events.map(({ id }) => id));
    assert.ok(requests[1].at - requests[0].at >= 990, 'a second before the second try');
    if (tries === 2) assert.ok(requests[2].at - requests[1].at >= 1990, 'two before the third');
    await until(() => Object.keys(store).length === 0, 'nothing is kept any more');
  });
}

test('Retry-After is waited for, also when more events come', async () => {
  answers = [{ status: 503, headers: { 'retry-after': '3' } }];
  const sending = box();
  for (let count = 0; count < 3; count++) sending.add(event());
  await until(() => requests.length === 1, 'the first try');
  await new Promise((done) => setTimeout(done, 50));
  for (let count = 0; count < 5; count++) sending.add(event());
  await until(() => requests.length === 2, 'the second try');
  assert.ok(requests[1].at - requests[0].at >= 2990, `${requests[1].at - requests[0].at} ms`);
  assert.equal(requests[1].ids.length, 8);
});

test('a date as Retry-After is no reason to hurry', async () => {
  answers = [{ status: 503, headers: { 'retry-after': 'Fri, 27 Nov 2026 12:00:00 GMT' } }];
  const sending = box();
  for (let count = 0; count < 3; count++) sending.add(event());
  await until(() => requests.length === 2, 'the second try');
  assert.ok(requests[1].at - requests[0].at >= 990);
});

for (const [status, answer] of [[400, { code: 'invalid_json' }], [401, { code: 'unknown_key' }], [413, '<html>'], [404, '']]) {
  test(`${status} ends it, with a word in the console`, async () => {
    answers = [{ status, answer }];
    const store = {};
    const sending = box(store);
    for (let count = 0; count < 3; count++) sending.add(event());
    await until(() => warnings.length === 1, 'the word');
    assert.deepEqual(warnings[0].slice(0, 2), ['analytics: refused', status]);
    sending.add(event());
    await until(() => requests.length === 2, 'the next event');
    assert.equal(requests[1].ids.length, 1);
  });
}

test('of a mixed answer only what was not queued comes again', async () => {
  const rejected = [{ index: 0, code: 'invalid_field' }, { index: 2, code: 'not_queued' }];
  answers = [{ answer: { accepted: 1, ids: [], rejected } }];
  const sending = box();
  const events = [event(), event(), event()];
  events.forEach(sending.add);
  await until(() => requests.length === 2, 'the second try');
  assert.deepEqual(requests[1].ids, [events[2].id]);
  assert.ok(requests[1].at - requests[0].at >= 990, 'not at once');
});

test('many events go in several requests, one after the other, in order', async () => {
  const sending = box({}, 1000, 20);
  const events = Array.from({ length: 60 }, () => event({ text: 'x'.repeat(1000) }));
  events.forEach(sending.add);
  await until(() => requests.flatMap(({ ids }) => ids).length === 60, 'all of them');
  assert.ok(requests.length >= 3);
  assert.deepEqual(requests.flatMap(({ ids }) => ids), events.map(({ id }) => id));
});

test('a page that ends keeps what waits and sends it as beacons, each once', () => {
  const store = {};
  const sending = box(store, 1000, 10_000);
  const events = Array.from({ length: 60 }, () => event({ text: 'x'.repeat(1000) }));
  events.forEach(sending.add);
  sending.leave();
  sending.leave();
  assert.ok(beacons.length >= 3);
  assert.deepEqual(beacons.flat(), events.map(({ id }) => id));
  assert.deepEqual(waiting(store), beacons.flat());
});

test('a beacon that the browser does not take is left to the next page', async () => {
  const store = {};
  beacon = () => beacons.length < 1;
  const sending = box(store, 1000, 10_000);
  const events = Array.from({ length: 40 }, () => event({ text: 'x'.repeat(1000) }));
  events.forEach(sending.add);
  sending.leave();
  assert.equal(beacons.length, 1);
  box(store, 1000);
  await until(() => requests.flatMap(({ ids }) => ids).length === 40, 'the next page');
  assert.deepEqual(requests.flatMap(({ ids }) => ids), events.map(({ id }) => id));
  await until(() => Object.keys(store).length === 0, 'nothing is kept any more');
});

test('what is kept and is no event harms nobody', async () => {
  const good = event();
  const store = { 'p.a': 'not JSON', 'p.b': 'null', 'p.c': '[null,1,"x",{}]', 'p.d': JSON.stringify([good]), other: 'x' };
  box(store);
  await until(() => requests.length === 1, 'the one event');
  assert.deepEqual(requests[0].ids, [good.id]);
  await until(() => Object.keys(store).length === 1, 'the rest is gone');
  assert.deepEqual(store, { other: 'x' });
});

test('at most 1000 events wait, the oldest goes first', () => {
  const store = {};
  const sending = box(store, 5000, 10_000);
  const events = Array.from({ length: 1010 }, () => event());
  events.forEach(sending.add);
  beacon = () => false;
  sending.leave();
  assert.deepEqual(waiting(store), events.slice(10).map(({ id }) => id));
});

test('before it is opened nothing is sent', async () => {
  const sending = closed({}, 1, 5);
  sending.add(event());
  sending.leave();
  await new Promise((done) => setTimeout(done, 60));
  assert.equal(requests.length + beacons.length, 0);
  sending.open();
  await until(() => requests.length === 1, 'once it is opened');
});
