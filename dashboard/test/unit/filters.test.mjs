import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterOf, filtersOf, narrowed, simple, words } from '../../dist-parts/filters.js';

test('one filter and a list of them are read, anything else is none', () => {
  const one = ['is', 'event_type', ['a']];
  assert.deepEqual(filtersOf(JSON.stringify(one)), [one]);
  assert.deepEqual(filtersOf(JSON.stringify([one, ['exists', 'user_id']])), [one, ['exists', 'user_id']]);
  for (const text of [null, '', '[]', '{}', '"is"', '[[', '1', 'null']) assert.deepEqual(filtersOf(text), [], text);
  assert.deepEqual(filtersOf('[["exists","a"],1,null,{}]'), [['exists', 'a']]);
});

test('a form holds a filter and gives the same one back', () => {
  for (const filter of [
    ['is', 'metadata.path', ['/a', '/b']],
    ['is', 'metadata.path', ['/A'], { case_sensitive: false }],
    ['between', 'metadata.ms', [1, 2.5]],
    ['exists', 'user_id'],
  ])
    assert.deepEqual(filterOf(simple(filter)), filter);
  for (const filter of [['or', [['exists', 'a']]], ['has_done', []], ['is', 'a', 'b'], [1, 'a', []], []])
    assert.equal(simple(filter), undefined);
});

test('filters are told in words', () => {
  for (const [filter, said] of [
    [['is', 'metadata.path', ['/a', '/b']], 'path is /a or /b'],
    [['is_not', 'event_type', ['x']], 'type is not x'],
    [['between', 'metadata.ms', [1, 5]], 'ms is between 1 and 5'],
    [['matches', 'event_action', ['*x']], 'action matches *x'],
    [['not_exists', 'user_id'], 'user_id is not there'],
    [
      [
        'or',
        [
          ['exists', 'user_id'],
          ['gt', 'metadata.a', [3]],
        ],
      ],
      'user_id is there or a > 3',
    ],
    [['has_not_done', [['is', 'event_action', ['buy']]]], 'has not done (action is buy)'],
    [['not', ['is', 'event_type', ['x']]], 'not (type is x)'],
    [['unheard', 1, 2], '["unheard",1,2]'],
    [['is', 'metadata.name', ['<img src=x onerror=alert(1)>']], 'name is <img src=x onerror=alert(1)>'],
  ])
    assert.equal(words(filter), said);
});

test('a value that is chosen narrows, and takes the place of one of the same field', () => {
  const other = ['contains', 'metadata.path', ['/docs']];
  const first = narrowed([other], 'metadata.path', '/a');
  assert.deepEqual(first, [other, ['is', 'metadata.path', ['/a']]]);
  assert.deepEqual(narrowed(first, 'metadata.path', null), [other, ['not_exists', 'metadata.path']]);
  assert.deepEqual(narrowed([['not_exists', 'metadata.path']], 'metadata.path', '/a'), [['is', 'metadata.path', ['/a']]]);
  assert.deepEqual(narrowed(first, 'event_type', ''), [...first, ['is', 'event_type', ['']]]);
});
