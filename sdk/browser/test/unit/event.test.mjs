import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batch, body } from '../../dist/parts/event.js';

const event = (metadata, age = 0) => ({
  id: 'i', session_id: 's', event_type: 't', event_action: 'a', metadata, timestamp: Date.now() - age,
});
const sent = (events) => JSON.parse(body(events)).events;
const bytes = (text) => new TextEncoder().encode(text).length;

test('a fresh event goes without its time, a late one with it', () => {
  const late = event({}, 60_000);
  const [first, second] = sent([event({}), late]);
  assert.ok(!('timestamp' in first));
  assert.equal(second.timestamp, late.timestamp);
});

test('an event of the future, left behind before the clock was put right, goes without its time', () => {
  assert.ok(!('timestamp' in sent([event({}, -7_200_000)])[0]));
});

test('what no store can hold becomes a mark, whole characters stay', () => {
  const [{ metadata }] = sent([event({ a: 'x\ud800y', b: '\udc00', c: '\0', d: '😀 שלום', e: ['\udfff'], f: 1 })]);
  assert.deepEqual(metadata, { a: 'x\ufffdy', b: '\ufffd', c: '\ufffd', d: '😀 שלום', e: ['\ufffd'], f: 1 });
});

test('a request holds what a browser sends at the end of a page, whatever the script', () => {
  for (const letter of ['a', 'ß', '字', '😀', '\ud800', '"', '\n']) {
    const events = Array.from({ length: 1000 }, () => event({ text: letter.repeat(200) }));
    const taken = batch(events);
    assert.ok(taken.length > 10, `${letter}: ${taken.length}`);
    assert.ok(taken.length < 1000);
    assert.deepEqual(taken, events.slice(0, taken.length));
    assert.ok(bytes(body(taken)) <= 65_536, `${letter}: ${bytes(body(taken))} bytes`);
  }
});

test('an event that is larger than a request goes alone', () => {
  const events = [event({ text: 'x'.repeat(50_000) }), event({})];
  assert.deepEqual(batch(events), [events[0]]);
  assert.deepEqual(batch([events[1], events[0], events[1]]), [events[1]]);
  assert.deepEqual(batch([]), []);
});
