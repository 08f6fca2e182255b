import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesOf, seriesOf } from '../../dist-parts/chart/rows.js';

const columns = [
  { name: 'time:day', kind: 'dimension', type: 'time' },
  { name: 'events', kind: 'metric', type: 'integer' },
  { name: 'avg:metadata.ms', kind: 'metric', type: 'number' },
];

test('each figure is a line, and what it is compared with another', () => {
  const results = [
    { dimensions: ['a'], metrics: [1, null], comparison: [3, 4] },
    { dimensions: ['b'], metrics: [2, 0], comparison: [null, 5] },
  ];
  assert.deepEqual(
    seriesOf({ results, columns }, (name) => name.toUpperCase()),
    {
      times: ['a', 'b'],
      series: [
        { label: 'EVENTS', values: [1, 2] },
        { label: 'EVENTS, compared', values: [3, null], isComparison: true },
        { label: 'AVG:METADATA.MS', values: [null, 0] },
        { label: 'AVG:METADATA.MS, compared', values: [4, 5], isComparison: true },
      ],
    },
  );
  const plain = seriesOf({ results: results.map(({ dimensions, metrics }) => ({ dimensions, metrics })), columns }, String);
  assert.deepEqual(
    plain.series.map(({ label }) => label),
    ['events', 'avg:metadata.ms'],
  );
  assert.deepEqual(seriesOf({ results: [], columns }, String).times, []);
});

test('each value of a dimension is a line over all times', () => {
  const results = [
    { dimensions: ['t2', '/a'], metrics: [2] },
    { dimensions: ['t1', '/a'], metrics: [1] },
    { dimensions: ['t1', null], metrics: [9] },
    { dimensions: ['t1', 'not asked for'], metrics: [5] },
  ];
  assert.deepEqual(linesOf({ results }, ['/a', null, '__proto__'], '(none)'), {
    times: ['t1', 't2'],
    series: [
      { label: '/a', values: [1, 2] },
      { label: '(none)', values: [9, null] },
      { label: '__proto__', values: [null, null] },
    ],
  });
});
