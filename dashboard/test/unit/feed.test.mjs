import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Feed, waitBefore } from '../../dist-parts/live/feed.js';
import { addNewest, MOST_SHOWN } from '../../dist-parts/live/shown.js';

/** A feed whose sockets and clock are the test's: what is tried here is what it says and when it comes again. */
const set = (filters = []) => {
  const told = { events: [], missed: [], standing: [] };
  const sockets = [];
  const timers = [];
  const clock = { now: 1_000 };
  const around = {
    open: () => {
      const socket = {
        sent: [],
        send: (text) => socket.sent.push(JSON.parse(text)),
        close: () => {
          socket.closed = true;
          socket.onclose?.();
        },
      };
      sockets.push(socket);
      return socket;
    },
    now: () => clock.now,
    chance: () => 0,
    later: (work, wait) => timers.push({ work, wait }),
    cancel: (timer) => {
      timers[timer - 1].work = () => {};
    },
  };
  const feed = new Feed(
    filters,
    {
      events: (events) => told.events.push(...events),
      missed: (count) => told.missed.push(count),
      standing: ({ is }) => told.standing.push(is),
    },
    around,
  );
  const say = (socket, message) => socket.onmessage({ data: JSON.stringify(message) });
  return { feed, told, sockets, timers, clock, say };
};

const event = (id, cursor) => ({ type: 'event', id: 'events', event: { id }, cursor });

test('it subscribes, tells events, and goes on behind the last one when the socket ends', () => {
  const filters = [['is', 'event_type', ['page']]];
  const { feed, told, sockets, timers, say } = set(filters);
  feed.start();
  sockets[0].onopen();
  assert.deepEqual(sockets[0].sent, [{ type: 'subscribe', id: 'events', events: { filters } }]);
  say(sockets[0], { type: 'welcome' });
  say(sockets[0], event('a', '1-0-0'));
  say(sockets[0], event('b', '1-0-1'));
  sockets[0].onclose();
  assert.equal(timers[0].wait, 1_000);
  timers[0].work();
  sockets[1].onopen();
  assert.equal(sockets[1].sent[0].since, '1-0-1');
  assert.deepEqual(
    told.events.map(({ id }) => id),
    ['a', 'b'],
  );
  assert.deepEqual(told.standing, ['connecting', 'live', 'waiting', 'connecting']);
});

test('each try waits longer than the one before, at most 45 seconds', () => {
  const { feed, sockets, timers } = set();
  feed.start();
  for (let round = 0; round < 8; round++) {
    sockets[round].onclose();
    timers[round].work();
  }
  assert.deepEqual(
    timers.map(({ wait }) => wait),
    [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000],
  );
  assert.equal(waitBefore(100, 1), 45_000);
});

test('a socket that is let in and thrown out at once is no good one', () => {
  const { feed, sockets, timers, clock, say } = set();
  feed.start();
  for (let round = 0; round < 3; round++) {
    say(sockets[round], { type: 'welcome' });
    say(sockets[round], { type: 'error', id: 'events', code: 'feed_unavailable', message: 'away' });
    timers[round].work();
  }
  assert.deepEqual(
    timers.map(({ wait }) => wait),
    [1_000, 2_000, 4_000],
  );
  say(sockets[3], { type: 'welcome' });
  clock.now += 60_000;
  sockets[3].onclose();
  assert.equal(timers[3].wait, 1_000);
});

test('paused, nothing is opened, and the next start goes on where it was', () => {
  const { feed, told, sockets, timers, say } = set();
  feed.start();
  say(sockets[0], { type: 'welcome' });
  say(sockets[0], event('a', '7-0-0'));
  feed.pause();
  assert.ok(sockets[0].closed);
  assert.equal(timers.length, 0);
  say(sockets[0], event('late', '8-0-0'));
  feed.start();
  sockets[1].onopen();
  assert.equal(sockets[1].sent[0].since, '7-0-0');
  assert.deepEqual(
    told.events.map(({ id }) => id),
    ['a'],
  );
  feed.stop();
  sockets[1].onclose();
  assert.equal(timers.length, 0);
});

test('what was missed is told: a number, or that nobody knows', () => {
  const { feed, told, sockets, timers, say } = set();
  feed.start();
  say(sockets[0], event('a', '7-0-0'));
  say(sockets[0], { type: 'lagged', id: 'events', missed: 12 });
  say(sockets[0], { type: 'lagged', id: 'events', missed: null });
  say(sockets[0], { type: 'error', id: 'events', code: 'invalid_cursor', message: 'whose?' });
  timers[0].work();
  sockets[1].onopen();
  assert.equal(sockets[1].sent[0].since, undefined);
  assert.deepEqual(told.missed, [12, null, null]);
});

test('a question that is refused is not asked again', () => {
  const { feed, told, sockets, timers, say } = set([['nonsense']]);
  feed.start();
  say(sockets[0], { type: 'welcome' });
  say(sockets[0], { type: 'error', id: 'events', code: 'invalid_query', message: 'what is nonsense?' });
  assert.deepEqual(told.standing, ['connecting', 'live', 'refused']);
  assert.equal(timers.length, 0);
});

test('somebody who comes back does not wait for the next try', () => {
  const { feed, sockets, timers } = set();
  feed.start();
  feed.start();
  assert.equal(sockets.length, 1);
  sockets[0].onclose();
  feed.start();
  assert.equal(sockets.length, 2);
  timers[0].work();
  assert.equal(sockets.length, 2);
});

test('the list is bounded, newest first, and has what came twice once', () => {
  const event = (id) => ({ id });
  assert.deepEqual(
    addNewest([event('b'), event('a')], [event('b'), event('c'), event('d')]).map(({ id }) => id),
    ['d', 'c', 'b', 'a'],
  );
  const many = Array.from({ length: 5_000 }, (_, number) => event(`${number}`));
  const list = addNewest([event('old')], many);
  assert.equal(list.length, MOST_SHOWN);
  assert.equal(list[0].id, '4999');
});
