const keyOf = (step, name) => `${step} ${JSON.stringify(name)}`;
const layOut = (nodes, links, sizes) => {
  const steps = [];
  for (const node of nodes) (steps[node.step] ??= []).push(node);
  const most = Math.max(1, ...steps.map((step) => (step ?? []).reduce((sum, { count }) => sum + count, 0)));
  const scale = sizes.bars / most;
  const last = Math.max(1, steps.length - 1);
  const columns = (sizes.width - sizes.right - sizes.bar) / last;
  const placed = /* @__PURE__ */ new Map();
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
  const bands = links.flatMap((link) => {
    const source = placed.get(keyOf(link.step, link.from));
    const target = placed.get(keyOf(link.step + 1, link.to));
    return source && target ? [{ ...link, source, target, sourceY: 0, targetY: 0, thickness: link.count * scale }] : [];
  });
  const stack = (end, other, place) => {
    const used = /* @__PURE__ */ new Map();
    for (const band of [...bands].sort((a, b) => a[other].y - b[other].y)) {
      const from = used.get(band[end]) ?? 0;
      band[place] = band[end].y + from + band.thickness / 2;
      used.set(band[end], from + band.thickness);
    }
  };
  stack("source", "target", "sourceY");
  stack("target", "source", "targetY");
  return { nodes: [...placed.values()], links: bands, width: sizes.width, height };
};
const outline = ({ source, target, sourceY, targetY, thickness }) => {
  const [from, to] = [source.x + source.width, target.x];
  const middle = (from + to) / 2;
  const half = Math.max(thickness, 1) / 2;
  const [a, b, c, d] = [sourceY - half, targetY - half, targetY + half, sourceY + half];
  return `M${from},${a}C${middle},${a} ${middle},${b} ${to},${b}L${to},${c}C${middle},${c} ${middle},${d} ${from},${d}Z`;
};
export {
  layOut,
  outline
};
