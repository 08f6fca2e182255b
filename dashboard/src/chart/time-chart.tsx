// Figures over time: drawn by uPlot, and the same as a table for those who do not see the drawing.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { bucket, type Interval, knownZone, number, short } from '../format';
import { THEMED } from '../shell/theme';

/** A line of the chart. */
export interface Series {
  label: string;
  values: (number | null)[];
  /** Drawn beside the series before it, dashed, in the same colour. */
  isComparison?: boolean;
}

interface Props {
  /** What is shown, in words. */
  label: string;
  /** The starts of the buckets, as the API gives them. */
  times: string[];
  series: Series[];
  interval: Interval;
  tz: string;
  /** The starts of buckets that are not over. */
  incomplete?: string[];
  height?: number;
}

/** How many colours there are for series, `--c1` and so on. */
const COLOURS = 8;

/** The colour of a series: a comparison has that of the one before it. */
const colourOf = (series: Series[], index: number) => {
  const own = series.slice(0, index + 1).filter(({ isComparison }) => !isComparison).length;
  return `--c${((own - 1 + COLOURS) % COLOURS) + 1}`;
};

/** Lines over time. */
export const TimeChart = ({ label, times, series, interval, tz, incomplete = [], height = 240 }: Props) => {
  const root = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<number | null>(null);

  useEffect(() => {
    const box = root.current;
    if (!box) return;
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      plot = make(box, { label, times, series, interval, tz, incomplete, height }, setAt);
    };
    draw();
    const observer = new ResizeObserver(() => {
      if (plot && plot.width !== box.clientWidth && box.clientWidth > 0) plot.setSize({ width: box.clientWidth, height });
    });
    observer.observe(box);
    addEventListener(THEMED, draw);
    return () => {
      observer.disconnect();
      removeEventListener(THEMED, draw);
      plot?.destroy();
    };
  }, [times, series, interval, tz, height]);

  const unfinished = new Set(incomplete);
  return (
    <figure class="chart">
      <figcaption class="legend">
        <ul>
          {series.map((one, index) => (
            <li key={one.label} class={one.isComparison ? 'is-comparison' : ''}>
              <span class="swatch" style={{ background: `var(${colourOf(series, index)})` }} aria-hidden="true" />
              <bdi>{one.label}</bdi>
              {at !== null && <strong aria-hidden="true">{number(one.values[at])}</strong>}
            </li>
          ))}
        </ul>
        <span class="note" aria-hidden="true">
          {at !== null &&
            times[at] !== undefined &&
            `${bucket(times[at], interval, tz)}${unfinished.has(times[at]) ? ', not over yet' : ''}`}
        </span>
      </figcaption>
      <div
        class="plot"
        ref={root}
        role="img"
        aria-label={`${label}, ${times.length} values. The table below has them all.`}
        style={{ height: `${height}px` }}
      />
      <details class="as-table">
        <summary>As a table</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={`${label} as a table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {series.map(({ label }) => (
                  <th key={label} scope="col" class="number">
                    <bdi>{label}</bdi>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, index) => (
                <tr key={time}>
                  <th scope="row">
                    {bucket(time, interval, tz)}
                    {unfinished.has(time) && <span class="note"> not over yet</span>}
                  </th>
                  {series.map(({ label, values }) => (
                    <td key={label} class="number">
                      {number(values[index])}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
};

const make = (box: HTMLElement, props: Required<Props>, onCursor: (index: number | null) => void): uPlot => {
  const { times, series, interval, incomplete, height } = props;
  const tz = knownZone(props.tz);
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const [ink, grid, shade] = ['--ink-soft', '--line', '--shade'].map(colour) as [string, string, string];
  const font = `12px ${style.fontFamily || 'sans-serif'}`;
  const xs = times.map((time) => Date.parse(time) / 1000);
  const unfinished = incomplete.map((time) => Date.parse(time) / 1000).filter(Number.isFinite);
  const first = unfinished.length > 0 ? Math.min(...unfinished) : undefined;
  // The line that leads to it is drawn to a figure that still grows.
  const from = first === undefined ? undefined : (xs.filter((x) => x < first).at(-1) ?? first);
  const few = xs.length < 40;
  return new uPlot(
    {
      width: Math.max(box.clientWidth, 200),
      height,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), tz),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.06 : 1] } },
      axes: [
        {
          stroke: ink,
          font,
          grid: { show: false },
          ticks: { stroke: grid, width: 1 },
          values: ticks(tz),
          incrs: steps(interval),
        },
        {
          stroke: ink,
          font,
          size: 56,
          grid: { stroke: grid, width: 1 },
          ticks: { show: false },
          values: (_, values) => values.map(short),
        },
      ],
      series: [
        {},
        ...series.map((one, index) => ({
          label: one.label,
          stroke: colour(colourOf(series, index)),
          width: one.isComparison ? 1.5 : 2,
          ...(one.isComparison ? { dash: [4, 4] } : {}),
          points: { show: few && !one.isComparison, size: 5 },
        })),
      ],
      hooks: {
        // What is not over looks it, so that nobody takes it for a fall.
        drawClear: [
          (plot) => {
            if (from === undefined) return;
            const { left, top, width, height } = plot.bbox;
            const start = Math.max(plot.valToPos(from, 'x', true), left);
            plot.ctx.fillStyle = shade;
            plot.ctx.fillRect(start, top, Math.max(left + width - start, 0), height);
          },
        ],
        setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
      },
    },
    [xs, ...series.map(({ values }) => values)],
    box,
  );
};

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** How long a bucket is, in seconds; of months at least. */
const LENGTHS: Record<Interval, number> = { minute: MINUTE, hour: HOUR, day: DAY, week: 7 * DAY, month: 28 * DAY };

/** Seconds between two marks of time. */
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 3, 5, 7, 10, 14, 30, 60, 90, 180, 365, 730, 1825, 3650].map((days) => days * DAY),
];

/** Marks are no closer than buckets: between two there is nothing to read. */
const steps = (interval: Interval) => STEPS.filter((step) => step >= LENGTHS[interval]);

/** Marks of time in the browser's language and the question's zone. */
const ticks = (timeZone: string) => (_: uPlot, values: number[], __: number, ___: number, step: number) => {
  const options: Intl.DateTimeFormatOptions =
    step >= 28 * 86_400
      ? { month: 'short', year: '2-digit' }
      : step >= 86_400
        ? { day: 'numeric', month: 'short' }
        : { hour: 'numeric', minute: '2-digit' };
  const format = new Intl.DateTimeFormat(undefined, { timeZone, ...options });
  return values.map((value) => format.format(value * 1000));
};
