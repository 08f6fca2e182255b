import assert from 'node:assert/strict';
import { test } from 'node:test';

// Of a browser only the address.
const at = { hash: '', steps: 0 };
globalThis.location = at;
const step = (_, __, hash) => {
  at.hash = hash;
  at.steps++;
};
globalThis.history = {
  pushState: step,
  replaceState: (_, __, hash) => {
    at.hash = hash;
  },
};
const { change, changed, elsewhere, format, go, here, href, parse } = await import('../../dist-parts/route.js');

test('a place goes into the URL and comes back', () => {
  for (const [view, rest, pairs] of [
    ['overview', [], []],
    [
      'session',
      ['a/b?c#d&e=%2F', 'שלום <img onerror=x>'],
      [
        ['range', '2026-11-01,2026-11-30'],
        ['tz', 'Europe/Berlin'],
      ],
    ],
    [
      'explore',
      [],
      [
        ['metric', 'events / sessions + 1'],
        ['metric', 'p95:metadata."a.b"'],
        ['filter', '[["is","metadata.path",["/?&#%"]]]'],
      ],
    ],
  ]) {
    const place = parse(format({ view, rest, params: new URLSearchParams(pairs) }));
    assert.deepEqual({ ...place, params: [...place.params] }, { view, rest, params: pairs });
  }
});

test('what people read in a URL is not escaped', () => {
  const params = new URLSearchParams({ range: '2026-11-01,2026-11-30', tz: 'Europe/Berlin' });
  assert.equal(format({ view: 'overview', rest: [], params }), '#/overview?range=2026-11-01,2026-11-30&tz=Europe/Berlin');
});

test('a URL that nobody wrote here is still a place', () => {
  for (const [hash, view, rest] of [
    ['', 'overview', []],
    ['#', 'overview', []],
    ['#/', 'overview', []],
    ['#x', 'x', []],
    ['#/a//b/%E0%A4', 'a', ['b', '%E0%A4']],
  ]) {
    const place = parse(hash);
    assert.deepEqual([place.view, place.rest], [view, rest], hash);
  }
});

test('another view keeps what is shared and nothing else', () => {
  at.hash = '#/explore?project=shop&range=7d&tz=UTC&compare=previous_year&filter=[]&metric=users&interval=hour';
  assert.equal(href('overview'), '#/overview?project=shop&range=7d&tz=UTC&compare=previous_year&filter=%5B%5D');
  assert.equal(href('session', ['a b'], { range: null, compare: '', filter: null }), '#/session/a%20b?project=shop&tz=UTC');
  assert.deepEqual([...elsewhere('x', [], { metric: ['a', 'b'] }).params.getAll('metric')], ['a', 'b']);
});

test('a change leaves the rest as it is, and makes one step back', () => {
  at.hash = '#/explore?range=7d&metric=users&metric=events';
  at.steps = 0;
  change({ range: '30d', compare: undefined });
  assert.equal(at.hash, '#/explore?metric=users&metric=events&range=30d');
  change({ metric: [] });
  assert.equal(at.hash, '#/explore?range=30d');
  assert.equal(at.steps, 2);
  change({ range: '30d' });
  go(here());
  change({ tz: 'UTC' }, { replace: true });
  assert.equal(at.steps, 2);
  assert.equal(changed({ tz: null }).params.toString(), 'range=30d');
});
