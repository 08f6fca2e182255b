import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chosenInterval, intervalOf } from '../../dist-parts/interval.js';
import { members, parameters, selectionOf } from '../../dist-parts/question.js';
import { parse } from '../../dist-parts/route.js';

const selection = (hash) => selectionOf(parse(hash));

test('what a URL leaves open has its default', () => {
  assert.deepEqual(selection('#/overview'), { range: '30d', tz: 'UTC', filters: [] });
});

test('a selection is asked with parameters and with members alike', () => {
  const filters = [['is', 'metadata.path', ['/a&b']]];
  const chosen = selection(
    `#/x?range=2026-11-01,2026-11-02&tz=Europe/Berlin&compare=previous_year&filter=${encodeURIComponent(JSON.stringify(filters))}`,
  );
  assert.deepEqual(
    [...new URLSearchParams(parameters(chosen, { metric: ['events', 'users'], limit: 5, search: undefined }))],
    [
      ['range', '2026-11-01,2026-11-02'],
      ['tz', 'Europe/Berlin'],
      ['compare', 'previous_year'],
      ['filter', JSON.stringify(filters)],
      ['metric', 'events'],
      ['metric', 'users'],
      ['limit', '5'],
    ],
  );
  assert.deepEqual(members(chosen), {
    date_range: ['2026-11-01', '2026-11-02'],
    timezone: 'Europe/Berlin',
    compare: 'previous_year',
    filters,
  });
  assert.deepEqual(members(selection('#/x?range=7d&compare=2026-01-01,2026-01-07')).compare, ['2026-01-01', '2026-01-07']);
});

test('a chart has some points, and not thousands', () => {
  for (const [range, interval] of [
    ['today', 'hour'],
    ['7d', 'day'],
    ['year', 'week'],
    ['all', 'month'],
    ['2026-11-01,2026-11-01', 'hour'],
    ['2026-11-01,2026-11-20', 'day'],
    ['2026-01-01,2026-11-20', 'week'],
    ['2020-01-01,2026-11-20', 'month'],
    ['2026-11-10T10:00:00Z,2026-11-10T11:00:00Z', 'minute'],
    ['2026-11-10T10:00:00Z,2026-11-11T10:00:00Z', 'hour'],
    ['nonsense', 'day'],
    ['a,b', 'day'],
  ])
    assert.equal(intervalOf(range), interval, range);
  assert.equal(chosenInterval('hour', '30d'), 'hour');
  assert.equal(chosenInterval('century', '30d'), 'day');
});
