// Sessions, newest first.
import { useAnswer } from '../api/answer';
import { duration, number, time } from '../format';
import { parameters, useSelection } from '../question';
import { href } from '../route';
import { Pages, useCursor, useCursorOf } from '../timeline/pages';
import type { Page, Visit } from '../timeline/shapes';
import { Panel } from '../widgets/panel';
import '../style/timeline.css';

const ROWS = 50;

export default () => {
  const { range, tz, filters } = useSelection();
  const cursor = useCursor();
  const answer = useAnswer<Page<Visit>>(`/api/sessions?${parameters({ range, tz, filters }, { limit: ROWS, cursor })}`);
  useCursorOf(answer);
  return (
    <Panel
      title="Sessions"
      answer={answer}
      height={600}
      isEmpty={({ results }) => results.length === 0}
      note="Those with an event that passes all filters; figures are of all their events in the range."
    >
      {({ results, meta }) => (
        <>
          <div class="scroll tall" role="region" aria-label="Table of sessions" tabIndex={0}>
            <table class="visits">
              <thead>
                <tr>
                  <th scope="col">Started</th>
                  <th scope="col">Who</th>
                  <th scope="col" class="number">
                    Duration
                  </th>
                  <th scope="col" class="number">
                    Events
                  </th>
                  <th scope="col">First</th>
                  <th scope="col">Last</th>
                </tr>
              </thead>
              <tbody>
                {results.map(({ session_id, user_id, started_at, duration_seconds, events, entry_action, exit_action }) => (
                  <tr key={session_id}>
                    <th scope="row">
                      <a href={href('session', [session_id])}>{time(started_at, tz)}</a>
                    </th>
                    <td>
                      {user_id === null ? (
                        <span class="soft">not named</span>
                      ) : (
                        <a href={href('person', [user_id])}>
                          <bdi>{user_id}</bdi>
                        </a>
                      )}
                    </td>
                    <td class="number">{duration(duration_seconds)}</td>
                    <td class="number">{number(events)}</td>
                    <td>
                      <bdi>{entry_action}</bdi>
                    </td>
                    <td>
                      <bdi>{exit_action}</bdi>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <Pages next={meta.next_cursor} label="Older sessions" />
        </>
      )}
    </Panel>
  );
};
