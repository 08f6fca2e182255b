import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uuid } from '../../dist/parts/ids.js';

test('ids are UUIDs of version 7, each another, and rise', () => {
  const before = Date.now();
  const ids = Array.from({ length: 4000 }, uuid);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(ids.toSorted?.() ?? [...ids].sort(), ids);
  const time = Number.parseInt(ids[0].replace('-', '').slice(0, 12), 16);
  assert.ok(time >= before && time <= Date.now());
});
