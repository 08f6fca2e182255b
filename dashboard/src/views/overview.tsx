// What happened, in figures, over time, and by what.
import { useMemo } from 'preact/hooks';
import { type Answer, useAnswer } from '../api/answer';
import type { Properties, Rows } from '../api/shapes';
import { seriesOf } from '../chart/rows';
import { TimeChart } from '../chart/time-chart';
import { narrowed } from '../filters';
import { difference, number, short, span } from '../format';
import { chosenInterval, INTERVALS } from '../interval';
import { HEADLINES, hasParts, metricTitle } from '../metrics';
import { members, parameters, setFilters, useSelection } from '../question';
import { change, href, useIsTile, usePlace } from '../route';
import { Panel } from '../widgets/panel';
import { Ranking } from '../widgets/ranking';
import '../style/overview.css';

/** The fields that are ranked, and what their values are called; those of `metadata` where the events have them. */
const RANKINGS: [string, string, string][] = [
  ['event_type', 'Top event types', 'Type'],
  ['event_action', 'Top actions', 'Action'],
  ['metadata.path', 'Top pages', 'Path'],
  ['metadata.referrer', 'Top referrers', 'Referrer'],
  ['metadata.channel', 'Channels', 'Channel'],
  ['metadata.utm_source', 'Campaign sources', 'Source'],
  ['metadata.utm_campaign', 'Campaigns', 'Campaign'],
  ['metadata.country', 'Countries', 'Country'],
  ['metadata.browser', 'Browsers', 'Browser'],
  ['metadata.os', 'Operating systems', 'System'],
  ['metadata.device', 'Devices', 'Device'],
];

/** How many rows a ranking has here. */
const MOST = 8;

/** The overview. */
export default () => {
  const figures = useFigures();
  return (
    <div class="stack">
      <Headlines figures={figures} />
      <Welcome figures={figures} />
      <OverTime />
      <Rankings figures={figures} />
    </div>
  );
};

/** What a board shows of an overview. */
export const Tile = () => (
  <div class="stack">
    <Headlines figures={useFigures()} />
    <OverTime />
  </div>
);

/** The figure that chart and rankings are about. */
const useMetric = (): string => {
  const named = usePlace().params.get('metric');
  return named && HEADLINES.includes(named) ? named : 'events';
};

const useFigures = () => useAnswer<Rows>('/api/query', { metrics: HEADLINES, ...members(useSelection()) });

/** What to do where no event has ever come. */
const Welcome = ({ figures }: { figures: Answer<Rows> }) => {
  const isQuiet = figures.data?.results[0]?.metrics[0] === 0 && !figures.isOther;
  const ever = useAnswer<Rows>(isQuiet ? '/api/query' : undefined, { metrics: ['events'], date_range: 'all' });
  if (!isQuiet || ever.data?.results[0]?.metrics[0] !== 0) return null;
  const script = new URL('tracker.js', document.baseURI);
  return (
    <section class="panel stack" aria-labelledby="welcome">
      <h2 id="welcome">No event has come yet</h2>
      <p>Put this on your pages, with a write key where the server wants one:</p>
      <pre class="scroll" tabIndex={0}>{`<script defer src="${script}" data-key="YOUR_WRITE_KEY"></script>`}</pre>
      <p>
        Or send events from anywhere by <code>POST /collect</code>, or have made-up visitors to look at:{' '}
        <code>analytics demo</code>.
      </p>
    </section>
  );
};

const Headlines = ({ figures: answer }: { figures: Answer<Rows> }) => {
  const { tz } = useSelection();
  const metric = useMetric();
  const isTile = useIsTile();
  const range = answer.data?.query.date_range;
  const compared = answer.data?.query.compare;
  const note = range ? `${span(...range, tz)}${compared ? `, against ${span(...compared, tz)}` : ''}` : '\u00a0';
  return (
    <Panel title="Figures" answer={answer} height={74} note={note}>
      {({ results: [row] }) => (
        <ul class="headlines">
          {HEADLINES.map((name, index) => {
            const [now, before] = [row?.metrics[index], row?.comparison?.[index]];
            const figure = (
              <>
                <span class="soft">{metricTitle(name)}</span>
                <strong title={number(now)}>{short(now)}</strong>
                {row?.comparison && (
                  <span class="soft">
                    {difference(now, before)} <span class="note">from {short(before)}</span>
                  </span>
                )}
              </>
            );
            return (
              <li key={name}>
                {isTile ? (
                  <div class="headline">{figure}</div>
                ) : (
                  <button
                    type="button"
                    class="headline"
                    aria-pressed={name === metric}
                    onClick={() => change({ metric: name === 'events' ? null : name })}
                  >
                    {figure}
                  </button>
                )}
              </li>
            );
          })}
        </ul>
      )}
    </Panel>
  );
};

/** Whether nothing is there, and nothing was. */
const isFlat = ({ results }: Rows) => results.every(({ metrics, comparison }) => !metrics[0] && !comparison?.[0]);

const OverTime = () => {
  const selection = useSelection();
  const { params } = usePlace();
  const metric = useMetric();
  const interval = chosenInterval(params.get('interval'), selection.range);
  const answer = useAnswer<Rows>(`/api/trends?${parameters(selection, { metric, interval, limit: 10_000 })}`);
  const { data } = answer;
  const drawn = useMemo(() => data && seriesOf(data, metricTitle), [data]);
  const isTile = useIsTile();
  const actions = !isTile && (
    <label class="row">
      By
      <select value={interval} onChange={({ currentTarget }) => change({ interval: currentTarget.value })}>
        {INTERVALS.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <Panel title={`${metricTitle(metric)} over time`} answer={answer} height={300} actions={actions} isEmpty={isFlat}>
      {({ meta }) =>
        drawn && (
          <TimeChart
            label={`${metricTitle(metric)} by ${interval}`}
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

const Rankings = ({ figures }: { figures: Answer<Rows> }) => {
  const { range, tz } = useSelection();
  const { data, failure } = useAnswer<Properties>(`/api/properties?${parameters({ range, tz, filters: [] }, { limit: 1000 })}`);
  const known = new Set(data?.results.map(({ name }) => name));
  const shown = RANKINGS.filter(([field]) => !field.startsWith('metadata.') || known.has(field));
  return (
    <>
      <div class="grid">
        {shown.map(([field, title, heading]) => (
          <Top key={field} field={field} title={title} heading={heading} figures={figures} />
        ))}
      </div>
      {failure && <p class="note">Which other properties there are could not be asked: {failure.message}.</p>}
    </>
  );
};

interface TopProps {
  field: string;
  title: string;
  heading: string;
  figures: Answer<Rows>;
}

const Top = ({ field, title, heading, figures }: TopProps) => {
  const selection = useSelection();
  const metric = useMetric();
  const answer = useAnswer<Rows>(`/api/breakdown?${parameters(selection, { dimension: field, metric, limit: MOST })}`);
  const whole = hasParts(metric) && !figures.isOther ? figures.data?.results[0]?.metrics[HEADLINES.indexOf(metric)] : undefined;
  return (
    <Panel
      title={title}
      answer={answer}
      height={MOST * 33 + 34}
      isEmpty={({ results }) => results.length === 0}
      actions={
        <a href={href('explore', [], { dimension: field, metric })} aria-label={`${title}: all`}>
          All
        </a>
      }
    >
      {({ results }) => (
        <Ranking
          rows={results.map(({ dimensions, metrics, comparison }) => ({
            value: dimensions[0] ?? null,
            figure: metrics[0] ?? null,
            ...(comparison ? { before: comparison[0] ?? null } : {}),
          }))}
          headings={[heading, metricTitle(metric)]}
          {...(whole === undefined ? {} : { whole })}
          choosing="Only events with"
          onChoose={(value) => setFilters(narrowed(selection.filters, field, value))}
        />
      )}
    </Panel>
  );
};
