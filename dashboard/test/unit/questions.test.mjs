import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askFunnel, readFunnel, suggestSteps, writeFunnel } from '../../dist-parts/questions/funnel.js';
import { readPaths, writePaths } from '../../dist-parts/questions/paths.js';
import { readRetention, unitFor, writeRetention } from '../../dist-parts/questions/retention.js';

const steps = [{ name: 'Looked', filters: [['is', 'event_action', ['view']]] }, { filters: [['exists', 'metadata.plan']] }];
const KINDS = [
  [
    'funnel',
    readFunnel,
    writeFunnel,
    [
      {
        steps,
        window: '1h',
        order: 'strict',
        by: 'session',
        exclude: [{ filters: [['is', 'event_type', ['error']]], after: 0, before: 1 }],
        breakdown: 'metadata.country',
      },
      { steps, window: '1d', order: 'ordered', by: 'person', exclude: [], breakdown: '' },
    ],
  ],
  [
    'retention',
    readRetention,
    writeRetention,
    [
      {
        start: { filters: steps[0].filters },
        return: { filters: [] },
        unit: 'month',
        periods: 12,
        mode: 'on_or_after',
        first: 'ever',
        by: 'session',
      },
      { start: { filters: [] }, return: { filters: [] }, unit: 'week', periods: 8, mode: 'on', first: 'in_range', by: 'person' },
    ],
  ],
  [
    'paths',
    readPaths,
    writePaths,
    [
      {
        from: { filters: steps[0].filters },
        to: { filters: steps[1].filters },
        depth: 9,
        by: 'session',
        name: 'metadata."a.b"',
        limit: 3,
      },
      { depth: 4, by: 'person', name: '', limit: 6 },
    ],
  ],
];

for (const [kind, read, write, questions] of KINDS) {
  test(`what a ${kind} view writes into the address is what it reads there`, () => {
    for (const question of questions) assert.deepEqual(read(write(question)), question);
  });

  test(`whatever stands in the address of a ${kind} view, it is read as a question`, () => {
    const plain = read(undefined);
    for (const written of ['', '{', '[]', '7', 'null', '"x"', '{"__proto__":{"x":1}}'])
      assert.deepEqual(read(written), plain, written);
    const bad = [
      null,
      7,
      '<img src=x onerror=alert(1)>',
      [],
      {},
      [null, 7, 'x', [], {}, [7]],
      { filters: 7 },
      { filters: [[]] },
      -1,
      1e9,
    ];
    const names = [
      'steps',
      'window',
      'order',
      'by',
      'exclude',
      'breakdown',
      'start',
      'return',
      'unit',
      'periods',
      'mode',
      'first',
      'from',
      'to',
      'depth',
      'name',
      'limit',
    ];
    for (const name of names) for (const value of bad) assert.doesNotThrow(() => write(read(JSON.stringify({ [name]: value }))));
  });
}

test('what is as it is anyway is in neither the address nor the request', () => {
  assert.equal(writeRetention(readRetention(undefined)), '{"unit":"week"}');
  assert.equal(writePaths(readPaths(undefined)), '{}');
  assert.deepEqual(Object.keys(JSON.parse(writeFunnel(KINDS[0][3][1]))), ['steps']);
  assert.deepEqual(askFunnel(KINDS[0][3][1]), { steps, window: '1d', order: 'ordered', by: 'person' });
});

test('steps that are suggested are actions, at most four', () => {
  const suggested = suggestSteps(['view', 'signup', 'pay', 'x', 'y']);
  assert.deepEqual(
    suggested.map(({ name }) => name),
    ['view', 'signup', 'pay', 'x'],
  );
  assert.deepEqual(suggested[1].filters, [['is', 'event_action', ['signup']]]);
});

test('a short range has days, a long one months', () => {
  assert.deepEqual(['7d', '30d', '90d', 'year', '2026-11-01,2026-11-20'].map(unitFor), ['day', 'week', 'week', 'month', 'week']);
});
