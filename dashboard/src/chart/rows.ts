// Rows of an answer as the lines of a chart.
import type { Rows } from '../api/shapes';
import type { Series } from './time-chart';

/** The rows of a series over time, one line for each figure, and a second one for what it is compared with. */
export const seriesOf = ({ results, columns }: Rows, title: (name: string) => string): { times: string[]; series: Series[] } => {
  const metrics = columns.filter(({ kind }) => kind === 'metric');
  const isCompared = results.some(({ comparison }) => comparison);
  const series = metrics.flatMap(({ name }, index): Series[] => {
    const own = { label: title(name), values: results.map(({ metrics }) => metrics[index] ?? null) };
    if (!isCompared) return [own];
    const before = results.map(({ comparison }) => comparison?.[index] ?? null);
    return [own, { label: `${title(name)}, compared`, values: before, isComparison: true }];
  });
  return { times: results.map(({ dimensions }) => dimensions[0] ?? ''), series };
};

/** The rows of a series by a second dimension, one line for each of its values, in the order of `values`. */
export const linesOf = ({ results }: Rows, values: (string | null)[], absent: string): { times: string[]; series: Series[] } => {
  const times = [...new Set(results.map(({ dimensions }) => dimensions[0] ?? ''))].sort();
  const place = new Map(times.map((time, index) => [time, index]));
  const lines = new Map(values.map((value) => [value, times.map((): number | null => null)]));
  for (const { dimensions, metrics } of results) {
    const line = lines.get(dimensions[1] ?? null);
    const at = place.get(dimensions[0] ?? '');
    if (line && at !== undefined) line[at] = metrics[0] ?? null;
  }
  return { times, series: values.map((value) => ({ label: value ?? absent, values: lines.get(value) ?? [] })) };
};
