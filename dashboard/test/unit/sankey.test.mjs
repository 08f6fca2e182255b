import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layOut, outline } from '../../dist-parts/sankey/layout.js';

const SIZES = { width: 500, bars: 100, bar: 10, least: 2, gap: 20, right: 90 };

const nodes = [
  { step: 0, name: 'a', count: 60 },
  { step: 0, name: 'b', count: 40 },
  { step: 1, name: 'c', count: 70 },
  { step: 1, name: null, count: 10 },
  { step: 2, name: 'a', count: 5 },
];
const links = [
  { step: 0, from: 'a', to: null, count: 10 },
  { step: 0, from: 'a', to: 'c', count: 45 },
  { step: 0, from: 'b', to: 'c', count: 25 },
  { step: 1, from: 'c', to: 'a', count: 5 },
];

test('bars are as high as their counts, a column a step', () => {
  const { nodes: placed, height } = layOut(nodes, links, SIZES);
  assert.deepEqual(
    placed.map(({ height: high }) => high),
    [60, 40, 70, 10, 5],
  );
  assert.deepEqual(
    placed.map(({ x }) => x),
    [0, 0, 200, 200, 400],
  );
  assert.deepEqual(
    placed.map(({ y }) => y),
    [0, 80, 0, 90, 0],
  );
  assert.equal(height, 140);
});

test('bands stay within their bars, and lie on each other at neither end', () => {
  const { links: bands } = layOut(nodes, links, SIZES);
  assert.equal(bands.length, links.length);
  for (const [end, place] of [
    ['source', 'sourceY'],
    ['target', 'targetY'],
  ]) {
    for (const band of bands) {
      const [top, bottom] = [band[place] - band.thickness / 2, band[place] + band.thickness / 2];
      assert.ok(top >= band[end].y - 1e-9 && bottom <= band[end].y + band[end].height + 1e-9, `${band.from} to ${band.to}`);
      for (const other of bands) {
        if (other === band || other[end] !== band[end]) continue;
        const distance = Math.abs(other[place] - band[place]);
        assert.ok(distance >= (other.thickness + band.thickness) / 2 - 1e-9, `${band.from} to ${band.to}`);
      }
    }
  }
  // The way to the upper of two bars leaves above the way to the lower one.
  assert.ok(bands[1].sourceY < bands[0].sourceY);
});

test('a name that comes again at another step, and no name, are nodes of their own', () => {
  const { nodes: placed, links: bands } = layOut(nodes, links, SIZES);
  assert.equal(placed.filter(({ name }) => name === 'a').length, 2);
  assert.equal(bands[3].target.step, 2);
  assert.equal(bands[0].target.name, null);
  assert.equal(
    layOut(
      [
        { step: 0, name: 'null', count: 1 },
        { step: 0, name: null, count: 1 },
      ],
      [],
      SIZES,
    ).nodes.length,
    2,
  );
});

test('nobody is a picture too', () => {
  assert.deepEqual(layOut([], [], SIZES), { nodes: [], links: [], width: 500, height: 0 });
  const [one] = layOut([{ step: 0, name: 'a', count: 0 }], [], SIZES).nodes;
  assert.equal(one.height, 2);
});

test('an outline has numbers only', () => {
  for (const band of layOut(nodes, links, SIZES).links) assert.match(outline(band), /^[MCLZ\d., e-]+$/);
});
