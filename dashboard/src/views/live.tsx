// What happens now: people of the last minutes, and events as they are stored.
import type { Rows } from '../api/shapes';
import { TimeChart } from '../chart/time-chart';
import { number } from '../format';
import { EventStream } from '../live/stream';
import { usePolled } from '../live/polled';
import { useSelection } from '../question';
import { href } from '../route';
import { Facts } from '../timeline/facts';
import { Panel } from '../widgets/panel';
import { Ranking } from '../widgets/ranking';
import { setFilters } from '../question';
import { narrowed } from '../filters';
import '../style/timeline.css';
import '../style/live.css';

const MINUTE = 60_000;
/** How many minutes count as now, and how many the chart has. */
const NOW = 5;
const SHOWN = 30;
/** Seconds between two questions. */
const PAUSE = 10;

/** The last so many minutes, up to the end of the current one. */
const lastMinutes = (count: number, now: number): [string, string] => {
  const end = Math.floor(now / MINUTE) * MINUTE + MINUTE;
  return [new Date(end - count * MINUTE).toISOString(), new Date(end).toISOString()];
};

export default () => {
  const { tz, filters } = useSelection();
  const asked = { timezone: tz, ...(filters.length > 0 ? { filters } : {}) };
  const people = usePolled<Rows>('/api/query', PAUSE, asked, (now) => ({
    ...asked,
    metrics: ['visitors', 'sessions', 'events'],
    date_range: [new Date(now - NOW * MINUTE).toISOString(), new Date(now + MINUTE).toISOString()],
  }));
  const minutes = usePolled<Rows>('/api/query', PAUSE, asked, (now) => ({
    ...asked,
    metrics: ['events', 'visitors'],
    dimensions: ['time:minute'],
    date_range: lastMinutes(SHOWN, now),
  }));
  const pages = usePolled<Rows>('/api/query', PAUSE, asked, (now) => ({
    ...asked,
    metrics: ['visitors'],
    dimensions: ['metadata.path'],
    date_range: lastMinutes(SHOWN, now),
    limit: 10,
  }));
  return (
    <div class="live">
      <Panel title={`The last ${NOW} minutes`} answer={people} height={60} class="wide">
        {({ results }) => {
          const [visitors = 0, sessions = 0, events = 0] = results[0]?.metrics ?? [];
          return (
            <Facts
              facts={[
                ['People', <strong class="people-now">{number(visitors)}</strong>],
                ['Sessions', number(sessions)],
                ['Events', number(events)],
              ]}
            />
          );
        }}
      </Panel>
      <Panel title={`The last ${SHOWN} minutes`} answer={minutes} height={230} class="wide">
        {({ results, meta }) => (
          <TimeChart
            label="Events and people by minute"
            times={results.map(({ dimensions }) => dimensions[0] ?? '')}
            series={[
              { label: 'Events', values: results.map(({ metrics }) => metrics[0] ?? null) },
              { label: 'People', values: results.map(({ metrics }) => metrics[1] ?? null) },
            ]}
            interval="minute"
            tz={tz}
            incomplete={meta.incomplete_buckets ?? []}
            height={180}
          />
        )}
      </Panel>
      <EventStream filters={filters} tz={tz} />
      <Panel
        title="Where they are"
        answer={pages}
        height={300}
        isEmpty={({ results }) => results.length === 0}
        empty={
          <>
            Nobody was here in the last {SHOWN} minutes. <a href={href('overview')}>Look at the days before</a>.
          </>
        }
      >
        {({ results }) => (
          <Ranking
            rows={results.map(({ dimensions, metrics }) => ({ value: dimensions[0] ?? null, figure: metrics[0] ?? null }))}
            headings={['Path', 'People']}
            onChoose={(value) => setFilters(narrowed(filters, 'metadata.path', value))}
          />
        )}
      </Panel>
    </div>
  );
};
