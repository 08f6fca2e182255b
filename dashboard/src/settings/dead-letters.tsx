// Events that could not be stored, why, and trying them again.
import { useState } from 'preact/hooks';
import { useAnswer } from '../api/answer';
import { ask } from '../api/ask';
import { useChange } from '../api/change';
import type { DeadLetters as Page } from '../api/shapes';
import { age, number } from '../format';
import { useScope } from '../session';
import { Panel } from '../widgets/panel';
import { Refusal } from '../widgets/refusal';

/** How many are shown at first, and at most. */
const FIRST = 50;
const MOST = 1000;

/** The panel of them. */
export const DeadLetters = () => {
  const isAdmin = useScope() === 'admin';
  const [limit, setLimit] = useState(FIRST);
  const [chosen, setChosen] = useState<string[]>([]);
  const [said, setSaid] = useState('');
  const change = useChange();
  const answer = useAnswer<Page>(isAdmin ? `/api/dead-letters?limit=${limit}` : undefined);
  if (!isAdmin) return null;
  const replay = (body: { ids: string[] } | { all: true }) =>
    void change.run(async () => {
      const { marked } = await ask<{ marked: number }>('/api/dead-letters/replay', { body });
      setSaid(`${number(marked)} will be tried again by the processor.`);
      setChosen([]);
      answer.retry();
    });
  const toggle = (id: string, isChosen: boolean) => setChosen(isChosen ? [...chosen, id] : chosen.filter((one) => one !== id));
  return (
    <Panel
      title="Events that could not be stored"
      answer={answer}
      height={60}
      isEmpty={({ total }) => total === 0}
      empty="There are none: every event that was accepted could be stored."
    >
      {({ dead_letters, total }) => (
        <div class="stack">
          <div class="row">
            <button type="button" disabled={change.isBusy || chosen.length === 0} onClick={() => replay({ ids: chosen })}>
              Try {chosen.length || 'the chosen'} again
            </button>
            <button type="button" disabled={change.isBusy} onClick={() => replay({ all: true })}>
              Try all {number(total)} again
            </button>
            <span role="status">{said}</span>
          </div>
          <Refusal failure={change.failure} />
          <div class="scroll" tabIndex={0} role="region" aria-label="Events that could not be stored, as a table">
            <table>
              <thead>
                <tr>
                  <th scope="col">
                    <span class="unseen">Choose</span>
                  </th>
                  <th scope="col">What was wrong</th>
                  <th scope="col">Event</th>
                  <th scope="col" class="number">
                    Tries
                  </th>
                  <th scope="col">Last</th>
                </tr>
              </thead>
              <tbody>
                {dead_letters.map(({ id, code, message, event, event_id, attempts, last_failed_at, replay_requested }) => (
                  <tr key={id}>
                    <td>
                      <input
                        type="checkbox"
                        aria-label={`Choose ${event_id ?? id}`}
                        checked={chosen.includes(id)}
                        onChange={({ currentTarget }) => toggle(id, currentTarget.checked)}
                      />
                    </td>
                    <th scope="row">
                      <code>{code}</code> <bdi>{message}</bdi>
                      {replay_requested && <span class="note"> waits to be tried again</span>}
                    </th>
                    <td>
                      {event ? (
                        <details>
                          <summary>
                            <bdi>
                              {event.event_type} / {event.event_action}
                            </bdi>
                          </summary>
                          <pre class="scroll" tabIndex={0}>
                            {JSON.stringify(event, null, 2)}
                          </pre>
                        </details>
                      ) : (
                        <span class="soft">cannot be read</span>
                      )}
                    </td>
                    <td class="number">{number(attempts)}</td>
                    <td>{age(Date.parse(last_failed_at))}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {dead_letters.length < total && limit < MOST && (
            <button type="button" onClick={() => setLimit(Math.min(limit * 4, MOST))}>
              Show more
            </button>
          )}
        </div>
      )}
    </Panel>
  );
};
