import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  age,
  bucket,
  day,
  difference,
  duration,
  knownZone,
  NOTHING,
  number,
  percent,
  short,
  span,
  time,
} from '../../dist-parts/format.js';

// What the language of the machine writes between, before and after digits is its own affair.
const digits = (text) => text.replace(/[^\d]/g, '');

test('numbers have their digits, and nothing is no zero', () => {
  assert.equal(digits(number(1234567)), '1234567');
  assert.equal(digits(number(3.14159)), '314');
  assert.ok(number(1e300).length < 20);
  for (const form of [number, short, percent, duration]) {
    assert.equal(form(null), NOTHING);
    assert.equal(form(undefined), NOTHING);
  }
  assert.ok(short(12_345_678).length < 8);
  assert.equal(digits(short(9_999)), '9999');
  assert.equal(digits(percent(0.5)), '50');
  assert.equal(digits(percent(0.0123)), '12');
  assert.equal(percent(Number.NaN), NOTHING);
});

test('a difference tells its direction, and none is told of nothing', () => {
  assert.match(difference(15, 10), /\+/);
  assert.match(difference(5, 10), /[-−]/);
  assert.equal(digits(difference(15, 10)), '50');
  for (const [now, before] of [
    [1, 0],
    [1, null],
    [1, undefined],
    [null, 1],
  ])
    assert.equal(difference(now, before), NOTHING);
});

test('times are those of the zone that was asked for', () => {
  const instant = '2026-11-14T23:30:00Z';
  assert.match(bucket(instant, 'day', 'UTC'), /14/);
  assert.match(bucket(instant, 'day', 'Europe/Berlin'), /15/);
  assert.match(bucket(instant, 'hour', 'Asia/Kathmandu'), /15/);
  assert.match(time(instant, 'Europe/Berlin'), /30/);
  assert.match(bucket(instant, 'month', 'UTC'), /2026/);
  assert.match(day('2026-11-14'), /14/);
  const month = span('2026-11-01T00:00:00+01:00', '2026-12-01T00:00:00+01:00', 'Europe/Berlin');
  assert.match(month, /30/);
  assert.doesNotMatch(month, /Dec|12/);
  for (const broken of [bucket('x', 'day', 'UTC'), time('x', 'UTC'), day('x')]) assert.equal(broken, 'x');
});

test('a zone that nobody knows is UTC, and no mistake of the page', () => {
  const instant = '2026-11-14T23:30:00Z';
  assert.equal(bucket(instant, 'hour', 'Mars/Base'), bucket(instant, 'hour', 'UTC'));
  assert.equal(time(instant, ''), time(instant, 'UTC'));
  assert.equal(knownZone('Europe/Berlin'), 'Europe/Berlin');
});

test('spans of time have two units at most', () => {
  for (const [seconds, wanted] of [
    [0.25, '250'],
    [12, '12'],
    [200, '320'],
    [7500, '25'],
    [3600, '1'],
    [273_600, '34'],
  ]) {
    assert.equal(digits(duration(seconds)), wanted, String(seconds));
  }
  assert.ok(age(Date.now() - 300_000).includes('5'));
  assert.equal(age(Date.now() + 60_000), age(Date.now()));
});
