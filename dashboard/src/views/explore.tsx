// Any figures, by anything, over any time.
import { useCallback, useMemo, useState } from 'preact/hooks';
import { useAnswer } from '../api/answer';
import { ask } from '../api/ask';
import type { Properties, Rows } from '../api/shapes';
import { linesOf, seriesOf } from '../chart/rows';
import { TimeChart } from '../chart/time-chart';
import { type Filter, narrowed } from '../filters';
import { chosenInterval, INTERVALS } from '../interval';
import { METRICS, metricTitle } from '../metrics';
import { members, parameters, type Selection, setFilters, useSelection } from '../question';
import { change, type Place, useIsTile, usePlace } from '../route';
import { ExportLinks } from '../widgets/export-links';
import { suggestProperties } from '../widgets/filter-list';
import { Panel } from '../widgets/panel';
import { ABSENT } from '../widgets/ranking';
import { Suggest } from '../widgets/suggest';
import { RowsTable } from '../widgets/rows-table';
import '../style/explore.css';

/** How many values of a dimension have a line of their own. */
const LINES = 6;
/** How many rows of the table are asked for at first, and again for more. */
const ROWS = 25;
const MOST_ROWS = 10_000;
/** How many figures are asked for at once here. */
const MOST_METRICS = 5;

/** What is asked, as the URL says it. */
const read = ({ params }: Place, { range }: Selection) => {
  const metrics = [...new Set(params.getAll('metric'))].slice(0, MOST_METRICS);
  return {
    metrics: metrics.length > 0 ? metrics : ['events'],
    dimensions: [...new Set(params.getAll('dimension'))].slice(0, 3),
    interval: params.get('interval') === 'none' ? ('none' as const) : chosenInterval(params.get('interval'), range),
  };
};

/** The view. */
export default () => (
  <div class="stack">
    <Choices />
    <Results />
    <Script />
  </div>
);

/** What a board shows of it. */
export const Tile = () => <Results />;

/** The words for functions over a numeric property, those asked most first. */
const FUNCTIONS = ['avg', 'sum', 'p50', 'p95', 'min', 'max'];

const suggestMetrics = async (selection: Selection, text: string, signal: AbortSignal): Promise<string[]> => {
  const named = METRICS.map(({ name }) => name).filter((name) => name.includes(text.toLowerCase()));
  const search = text.replace(/^.*:(metadata\.)?/, '').slice(0, 1000);
  const pairs = parameters(
    { range: selection.range, tz: selection.tz, filters: [] },
    { limit: 100, search: search || undefined },
  );
  const { results } = await ask<Properties>(`/api/properties?${pairs}`, { signal });
  const called = /^([a-z0-9]+):/.exec(text)?.[1];
  const functions = called ? [called] : FUNCTIONS;
  const numeric = results.filter(({ types }) => types.number).flatMap(({ name }) => functions.map((word) => `${word}:${name}`));
  return [...named, ...numeric].slice(0, 30);
};

const Choices = () => {
  const selection = useSelection();
  const { metrics, dimensions, interval } = read(usePlace(), selection);
  const figures = useCallback((text: string, signal: AbortSignal) => suggestMetrics(selection, text, signal), [selection]);
  const properties = useCallback((text: string, signal: AbortSignal) => suggestProperties(selection, text, signal), [selection]);
  return (
    <section class="panel choices" aria-label="Question">
      <Chosen
        label="Figures"
        adding="Add a figure"
        placeholder="visitors, avg:metadata.ms, events / sessions"
        chosen={metrics}
        title={metricTitle}
        suggest={figures}
        onChange={(metric) => change({ metric })}
        isFull={metrics.length >= MOST_METRICS}
        least={1}
      />
      <Chosen
        label="By"
        adding="Add a property"
        placeholder="metadata.path"
        chosen={dimensions}
        title={(name) => name}
        suggest={properties}
        onChange={(dimension) => change({ dimension })}
        isFull={dimensions.length >= 3}
        least={0}
      />
      <label>
        Over time
        <select value={interval} onChange={({ currentTarget }) => change({ interval: currentTarget.value })}>
          <option value="none">not over time</option>
          {INTERVALS.map((one) => (
            <option key={one} value={one}>
              by {one}
            </option>
          ))}
        </select>
      </label>
    </section>
  );
};

interface ChosenProps {
  label: string;
  adding: string;
  placeholder: string;
  chosen: string[];
  title: (name: string) => string;
  suggest: (text: string, signal: AbortSignal) => Promise<string[]>;
  onChange: (chosen: string[]) => void;
  isFull: boolean;
  /** How many have to stay. */
  least: number;
}

/** Some of many, as chips, and a field for one more. */
const Chosen = ({ label, adding, placeholder, chosen, title, suggest, onChange, isFull, least }: ChosenProps) => {
  const [text, setText] = useState('');
  const add = (name: string) => {
    if (name.trim() && !chosen.includes(name.trim())) onChange([...chosen, name.trim()]);
    setText('');
  };
  return (
    <div role="group" aria-label={label}>
      <span class="note">{label}</span>
      <ul class="chips">
        {chosen.map((name) => (
          <li key={name} class="chip">
            <bdi>{title(name)}</bdi>
            {chosen.length > least && (
              <button
                type="button"
                aria-label={`Remove ${title(name)}`}
                onClick={() => onChange(chosen.filter((one) => one !== name))}
              >
                ×
              </button>
            )}
          </li>
        ))}
      </ul>
      {!isFull && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            add(text);
          }}
        >
          <Suggest
            label={adding}
            hasHiddenLabel
            value={text}
            onChange={setText}
            onChoose={add}
            suggest={suggest}
            placeholder={placeholder}
          />
        </form>
      )}
    </div>
  );
};

const Results = () => {
  const { dimensions, interval } = read(usePlace(), useSelection());
  if (dimensions.length === 0) return interval === 'none' ? <Table /> : <Series />;
  return (
    <>
      {interval !== 'none' && dimensions.length === 1 && <Lines dimension={dimensions[0]!} />}
      <Table />
    </>
  );
};

/** Every figure over time, each with a chart of its own. */
const Series = () => {
  const selection = useSelection();
  const { metrics, interval } = read(usePlace(), selection);
  const body = { metrics, dimensions: [`time:${interval}`], ...members(selection), limit: MOST_ROWS };
  const answer = useAnswer<Rows>('/api/query', body);
  const { data } = answer;
  const drawn = useMemo(() => data && seriesOf(data, metricTitle), [data]);
  if (interval === 'none') return null;
  const perMetric = data?.results.some(({ comparison }) => comparison) ? 2 : 1;
  return (
    <Panel title="Over time" answer={answer} height={260 * metrics.length} isEmpty={({ results }) => results.length === 0}>
      {({ meta, columns }) =>
        drawn && (
          <div class="stack">
            {columns
              .filter(({ kind }) => kind === 'metric')
              .map(({ name }, index) => (
                <OneSeries
                  key={name}
                  {...{ name, interval, tz: selection.tz, drawn, index, perMetric }}
                  incomplete={meta.incomplete_buckets ?? []}
                />
              ))}
          </div>
        )
      }
    </Panel>
  );
};

interface OneSeriesProps {
  name: string;
  interval: (typeof INTERVALS)[number];
  tz: string;
  drawn: ReturnType<typeof seriesOf>;
  index: number;
  /** How many lines a figure has. */
  perMetric: number;
  incomplete: string[];
}

const OneSeries = ({ name, interval, tz, drawn, index, perMetric, incomplete }: OneSeriesProps) => {
  const series = useMemo(() => drawn.series.slice(index * perMetric, (index + 1) * perMetric), [drawn, index, perMetric]);
  return (
    <TimeChart
      label={`${metricTitle(name)} by ${interval}`}
      times={drawn.times}
      series={series}
      interval={interval}
      tz={tz}
      incomplete={incomplete}
      height={200}
    />
  );
};

/** The filter that lets through these values of a field. */
const among = (field: string, values: (string | null)[]): Filter => {
  const texts = values.filter((value) => value !== null);
  const absent: Filter = ['not_exists', field];
  if (texts.length === values.length) return ['is', field, texts];
  return texts.length === 0 ? absent : ['or', [['is', field, texts], absent]];
};

/** The greatest values of one dimension over time. */
const Lines = ({ dimension }: { dimension: string }) => {
  const selection = useSelection();
  const { metrics, interval } = read(usePlace(), selection);
  const [metric = 'events'] = metrics;
  const plain = { range: selection.range, tz: selection.tz, filters: selection.filters };
  const top = useAnswer<Rows>(`/api/breakdown?${parameters(plain, { dimension, metric, limit: LINES })}`);
  const values = top.data?.results.map(({ dimensions }) => dimensions[0] ?? null);
  const body = values && {
    metrics: [metric],
    dimensions: [`time:${interval}`, dimension],
    ...members({ ...plain, filters: [...plain.filters, among(dimension, values)] }),
    limit: MOST_ROWS,
  };
  const answer = useAnswer<Rows>(values && values.length > 0 && !top.isOther ? '/api/query' : undefined, body);
  const { data } = answer;
  const drawn = useMemo(() => (data && values && !answer.isOther ? linesOf(data, values, ABSENT) : undefined), [data, top.data]);
  if (interval === 'none') return null;
  const shown = values?.length === 0 || top.failure ? top : answer;
  return (
    <Panel
      title={`${metricTitle(metric)} over time, by the greatest of ${dimension}`}
      answer={shown}
      height={300}
      isEmpty={({ results }) => results.length === 0}
    >
      {({ meta }) =>
        drawn && (
          <TimeChart
            label={`${metricTitle(metric)} by ${interval} and ${dimension}`}
            {...drawn}
            interval={interval}
            tz={selection.tz}
            incomplete={meta.incomplete_buckets ?? []}
          />
        )
      }
    </Panel>
  );
};

/** All rows, the greatest first. */
const Table = () => {
  const selection = useSelection();
  const { metrics, dimensions } = read(usePlace(), selection);
  const [limit, setLimit] = useState(ROWS);
  const isTile = useIsTile();
  const onChoose = (field: string, value: string | null) => setFilters(narrowed(selection.filters, field, value));
  const answer = useAnswer<Rows>('/api/query', { metrics, dimensions, ...members(selection), limit });
  return (
    <Panel title="Rows" answer={answer} height={limit === ROWS ? 400 : 0} isEmpty={({ results }) => results.length === 0}>
      {({ results, columns, meta }) => (
        <>
          <RowsTable rows={results} columns={columns} title={metricTitle} {...(isTile ? {} : { onChoose })} />
          <p class="row note">
            {results.length} of {meta.total_rows} rows
            {meta.next_cursor && limit < MOST_ROWS && (
              <button type="button" onClick={() => setLimit(Math.min(limit * 4, MOST_ROWS))}>
                Show more
              </button>
            )}
          </p>
        </>
      )}
    </Panel>
  );
};

/** The same for scripts, and the events themselves. */
const Script = () => {
  const selection = useSelection();
  const { metrics, dimensions, interval } = read(usePlace(), selection);
  const time = interval === 'none' || dimensions.length > 0 ? [] : [`time:${interval}`];
  const question = { metrics, dimensions: [...time, ...dimensions], ...members(selection) };
  return (
    <section class="panel" aria-label="For scripts">
      <details>
        <summary>This question for a script, and its events as a file</summary>
        <p class="note">
          Sent with <code>Authorization: Bearer KEY</code> to <code>POST /api/query</code>:
        </p>
        <pre class="scroll" tabIndex={0}>
          <code>{JSON.stringify(question, null, 2)}</code>
        </pre>
        <ExportLinks selection={selection} />
      </details>
    </section>
  );
};
