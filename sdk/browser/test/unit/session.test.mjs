import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessions } from '../../dist/parts/session.js';

const MINUTE = 60_000;

/** Lets `work` live at a time of its choice. */
const at = (work) => {
  const { now } = Date;
  let time = now();
  Date.now = () => time;
  try {
    work((minutes) => (time += minutes * MINUTE));
  } finally {
    Date.now = now;
  }
};

/** A store that takes nothing. */
const full = () => new Proxy({}, { set: () => { throw new Error('QuotaExceededError'); } });

test('a session goes on over pages, and ends half an hour after its last event', () => {
  at((later) => {
    const store = {};
    const id = sessions(store, 'n')();
    assert.equal(id.length, 36);
    for (let page = 0; page < 5; page++) {
      later(29);
      assert.equal(sessions(store, 'n')(), id);
    }
    later(30);
    const next = sessions(store, 'n')();
    assert.notEqual(next, id);
    assert.equal(sessions(store, 'n')(), next);
  });
});

test('a store that takes nothing leaves a session for each page', () => {
  const page = sessions(full(), 'n');
  assert.equal(page(), page());
  assert.notEqual(page(), sessions(full(), 'n')());
});

test('what is no session is none', () => {
  for (const record of ['x', '{"a":1}', '\ud800'.repeat(60), `${'a'.repeat(36)}0soon`, `${'a'.repeat(36)}0`]) {
    assert.match(sessions({ n: record }, 'n')(), /^[0-9a-f]{8}-/);
  }
});

test('a session ends with its user, and only then', () => {
  const store = {};
  const page = sessions(store, 'n');
  const anonymous = page();
  page(undefined, true);
  assert.equal(page(), anonymous);
  assert.equal(page('u'), anonymous);
  // Another page of the same tab, where nobody is named any more.
  const next = sessions(store, 'n');
  assert.equal(next(), anonymous);
  next(undefined, true);
  const fresh = next();
  assert.notEqual(fresh, anonymous);
  next(undefined, true);
  assert.equal(next(), fresh);
});
