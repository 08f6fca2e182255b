// What became of every event, day by day.
import { useState } from 'preact/hooks';
import { useAnswer } from '../api/answer';
import type { Integrity } from '../api/shapes';
import { day, number } from '../format';
import { Panel } from '../widgets/panel';

const DAYS = [7, 30, 90, 400];

/** What a day of receipt counts, and what it is called. */
const COUNTS = [
  ['accepted', 'Accepted'],
  ['stored', 'Stored'],
  ['duplicate', 'Sent again'],
  ['expired', 'Too old'],
  ['dead_lettered', 'Put aside'],
  ['erased', 'Erased'],
] as const;

const reasons = (rejected: Record<string, number>) =>
  Object.entries(rejected)
    .map(([reason, count]) => `${number(count)} ${reason.replace(/_/g, ' ')}`)
    .join(', ');

/** The panel of it. */
export const IntegrityPanel = () => {
  const [days, setDays] = useState(7);
  const answer = useAnswer<Integrity>(`/api/integrity?days=${days}`);
  const actions = (
    <label class="row">
      Days
      <select value={days} onChange={({ currentTarget }) => setDays(Number(currentTarget.value))}>
        {DAYS.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <Panel title="What became of every event" answer={answer} height={200} actions={actions} note="By UTC day of receipt.">
      {({ received, rollups, drift, in_flight }) => (
        <div class="stack">
          <p>
            {in_flight === null ? 'How many wait in the queue is not told here.' : `${number(in_flight)} wait in the queue.`}{' '}
            <span class={drift === 0 ? 'good' : 'bad'}>
              {drift === 0
                ? 'What is kept up to date equals the raw events.'
                : `What is kept up to date is ${number(drift)} off the raw events.`}
            </span>
          </p>
          {received.length === 0 ? (
            <p class="empty">Nothing was received in these days.</p>
          ) : (
            <div class="scroll" tabIndex={0} role="region" aria-label="Events by day of receipt">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Day</th>
                    {COUNTS.map(([name, title]) => (
                      <th key={name} scope="col" class="number">
                        {title}
                      </th>
                    ))}
                    <th scope="col">Refused</th>
                  </tr>
                </thead>
                <tbody>
                  {[...received].reverse().map((row) => (
                    <tr key={row.day}>
                      <th scope="row">{day(row.day)}</th>
                      {COUNTS.map(([name]) => (
                        <td key={name} class={`number${name === 'dead_lettered' && row[name] > 0 ? ' bad' : ''}`}>
                          {number(row[name])}
                        </td>
                      ))}
                      <td>{reasons(row.rejected) || number(0)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          <details class="as-table">
            <summary>Raw events against what is kept up to date</summary>
            <div class="scroll" tabIndex={0} role="region" aria-label="Raw events against what is kept up to date">
              <table>
                <thead>
                  <tr>
                    <th scope="col">UTC day of event</th>
                    <th scope="col" class="number">
                      Raw
                    </th>
                    <th scope="col" class="number">
                      By day
                    </th>
                    <th scope="col" class="number">
                      Columns
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {[...rollups].reverse().map(({ day: date, raw, rollup, columns }) => (
                    <tr key={date}>
                      <th scope="row">{day(date)}</th>
                      <td class="number">{number(raw)}</td>
                      <td class={`number${rollup === raw ? '' : ' bad'}`}>{number(rollup)}</td>
                      <td class={`number${columns === raw ? '' : ' bad'}`}>{number(columns)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </details>
        </div>
      )}
    </Panel>
  );
};
