// Where the steps of paths and the ways between them stand in a picture.

/** Those who have a name at a step, as `POST /api/paths` tells it; no name is `null`. */
export interface PathNode {
  step: number;
  name: string | null;
  count: number;
}

/** Those who go from one name at `step` to another at the next one. */
export interface PathLink {
  step: number;
  from: string | null;
  to: string | null;
  count: number;
}

/** A node with its place: the bar's left upper corner and its size. */
export interface PlacedNode extends PathNode {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A link with its place: a band between the sides of two bars. */
export interface PlacedLink extends PathLink {
  source: PlacedNode;
  target: PlacedNode;
  /** The band's middle where it begins and where it ends. */
  sourceY: number;
  targetY: number;
  thickness: number;
}

/** What is drawn. */
export interface Picture {
  nodes: PlacedNode[];
  links: PlacedLink[];
  width: number;
  height: number;
}

/** How large things are drawn, in pixels. */
export interface Sizes {
  width: number;
  /** How high the bars of the fullest step are together. */
  bars: number;
  /** Width of a bar, and the least height of one that counts somebody. */
  bar: number;
  least: number;
  /** Room below a bar. A name needs a line's height. */
  gap: number;
  /** Room right of the last bar, for its name. */
  right: number;
}

const keyOf = (step: number, name: string | null): string => `${step} ${JSON.stringify(name)}`;

/** Places nodes from left to right by step and from top to bottom in the order of the answer. */
export const layOut = (nodes: readonly PathNode[], links: readonly PathLink[], sizes: Sizes): Picture => {
  const steps: PathNode[][] = [];
  for (const node of nodes) (steps[node.step] ??= []).push(node);
  const most = Math.max(1, ...steps.map((step) => (step ?? []).reduce((sum, { count }) => sum + count, 0)));
  const scale = sizes.bars / most;
  const last = Math.max(1, steps.length - 1);
  const columns = (sizes.width - sizes.right - sizes.bar) / last;

  const placed = new Map<string, PlacedNode>();
  let height = 0;
  for (const step of steps) {
    let y = 0;
    for (const node of step ?? []) {
      const size = Math.max(sizes.least, node.count * scale);
      placed.set(keyOf(node.step, node.name), { ...node, x: node.step * columns, y, width: sizes.bar, height: size });
      y += size + sizes.gap;
    }
    height = Math.max(height, y);
  }

  // Bands leave a bar in the order of their targets and arrive in the order of their sources, so that few cross.
  const bands = links.flatMap((link) => {
    const source = placed.get(keyOf(link.step, link.from));
    const target = placed.get(keyOf(link.step + 1, link.to));
    return source && target ? [{ ...link, source, target, sourceY: 0, targetY: 0, thickness: link.count * scale }] : [];
  });
  const stack = (end: 'source' | 'target', other: 'source' | 'target', place: 'sourceY' | 'targetY') => {
    const used = new Map<PlacedNode, number>();
    for (const band of [...bands].sort((a, b) => a[other].y - b[other].y)) {
      const from = used.get(band[end]) ?? 0;
      band[place] = band[end].y + from + band.thickness / 2;
      used.set(band[end], from + band.thickness);
    }
  };
  stack('source', 'target', 'sourceY');
  stack('target', 'source', 'targetY');
  return { nodes: [...placed.values()], links: bands, width: sizes.width, height };
};

/** The outline of a band, as the `d` of an SVG path. */
export const outline = ({ source, target, sourceY, targetY, thickness }: PlacedLink): string => {
  const [from, to] = [source.x + source.width, target.x];
  const middle = (from + to) / 2;
  const half = Math.max(thickness, 1) / 2;
  const [a, b, c, d] = [sourceY - half, targetY - half, targetY + half, sourceY + half];
  return `M${from},${a}C${middle},${a} ${middle},${b} ${to},${b}L${to},${c}C${middle},${c} ${middle},${d} ${from},${d}Z`;
};
