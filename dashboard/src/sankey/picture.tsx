// Paths as bars and the bands between them, and as a table.
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { number, percent, short } from '../format';
import type { PathsAnswer } from '../questions/paths';
import { layOut, outline, type PlacedLink, type PlacedNode } from './layout';

interface Props {
  answer: PathsAnswer;
  /** Who is counted: `people` or `sessions`. */
  subjects: string;
  /** The address of the paths that begin with a name. */
  hrefOf: (name: string | null) => string;
}

/** What the API calls those beyond the names that it tells. */
const REST = 'other';
/** The least width of a step with the way to the next. */
const COLUMN = 200;
const SIZES = { bars: 320, bar: 12, least: 3, gap: 26, right: 190 };
/** How many characters of a name fit beside its bar. */
const FITTING = 24;

const nameOf = (name: string | null): string => name ?? 'no name';
const shortened = (name: string): string => {
  const characters = [...name];
  return characters.length > FITTING ? `${characters.slice(0, FITTING - 1).join('')}…` : name;
};

/** The picture; every name in it is a link to the paths that begin with it. */
export const Sankey = ({ answer: { nodes, links }, subjects, hrefOf }: Props) => {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setRoom(box.current?.clientWidth ?? 0);
    measure();
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const steps = Math.max(1, ...nodes.map(({ step }) => step + 1));
  const width = Math.max(room, (steps - 1) * COLUMN + SIZES.bar + SIZES.right);
  const picture = useMemo(() => layOut(nodes, links, { ...SIZES, width }), [nodes, links, width]);
  const [active, setActive] = useState<PlacedNode>();
  const isFaint = ({ source, target }: PlacedLink) => active !== undefined && source !== active && target !== active;
  const firsts = nodes.filter(({ step }) => step === 0).reduce((sum, { count }) => sum + count, 0);
  return (
    <div class="scroll ways" ref={box} role="region" aria-label="Picture of the paths" tabIndex={0}>
      <svg
        width={picture.width}
        height={picture.height}
        viewBox={`0 -4 ${picture.width} ${picture.height}`}
        role="group"
        aria-label="Steps from left to right"
      >
        <g aria-hidden="true">
          {picture.links.map((link, index) => (
            <path key={index} class={`band${isFaint(link) ? ' is-faint' : ''}`} d={outline(link)}>
              <title>{`${nameOf(link.from)} → ${nameOf(link.to)}: ${number(link.count)}`}</title>
            </path>
          ))}
        </g>
        {picture.nodes.map((node) => {
          const part = percent(node.count / firsts);
          const said = `Step ${node.step + 1}: ${nameOf(node.name)}, ${number(node.count)} ${subjects}, ${part}`;
          const drawn = (
            <>
              <title>{said}</title>
              <rect class="node" x={node.x} y={node.y} width={node.width} height={node.height} rx={2} />
              <text x={node.x + node.width + 6} y={node.y + Math.max(11, Math.min(node.height / 2 + 4, node.height))}>
                <tspan class={node.name === null ? 'nameless' : ''}>{shortened(nameOf(node.name))}</tspan>{' '}
                <tspan class="count" dx="6">
                  {short(node.count)}
                </tspan>
              </text>
            </>
          );
          const look = { onMouseEnter: () => setActive(node), onMouseLeave: () => setActive(undefined) };
          const key = `${node.step} ${JSON.stringify(node.name)}`;
          return node.name === REST ? (
            <g key={key} {...look} role="img" aria-label={said}>
              {drawn}
            </g>
          ) : (
            <a key={key} href={hrefOf(node.name)} {...look} onFocus={look.onMouseEnter} onBlur={look.onMouseLeave}>
              {drawn}
            </a>
          );
        })}
      </svg>
    </div>
  );
};

/** The same as a table: each way from one name to the next. */
export const WaysTable = ({ answer: { nodes, links }, subjects }: Omit<Props, 'hrefOf'>) => (
  <details class="as-table">
    <summary>As a table</summary>
    <div class="scroll" role="region" aria-label="Table of the paths" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">From</th>
            <th scope="col">To</th>
            <th scope="col" class="number">
              {subjects === 'people' ? 'People' : 'Sessions'}
            </th>
          </tr>
        </thead>
        <tbody>
          {nodes
            .filter(({ step }) => step === 0)
            .map(({ name, count }, index) => (
              <tr key={`node ${index}`}>
                <td>1</td>
                <td>(beginning)</td>
                <td>
                  <bdi>{nameOf(name)}</bdi>
                </td>
                <td class="number">{number(count)}</td>
              </tr>
            ))}
          {links.map(({ step, from, to, count }, index) => (
            <tr key={index}>
              <td>{step + 2}</td>
              <td>
                <bdi>{nameOf(from)}</bdi>
              </td>
              <td>
                <bdi>{nameOf(to)}</bdi>
              </td>
              <td class="number">{number(count)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  </details>
);
