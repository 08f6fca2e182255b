// Events one after the other, each with all that is known of it.
import { duration, time } from '../format';
import { href } from '../route';
import { eventName, gist, type StoredEvent, written } from './shapes';

interface Props {
  events: readonly StoredEvent[];
  tz: string;
  /** The instant that times are told from, where they are. */
  since?: string;
  /** Whether each event tells its session or its user. */
  tells?: 'session' | 'user';
  label: string;
}

/** A list of events that can be opened. */
export const Events = ({ events, tz, since, tells, label }: Props) => (
  <ol class="timeline" aria-label={label}>
    {events.map((event) => (
      <li key={event.id}>
        <time dateTime={event.timestamp}>{time(event.timestamp, tz)}</time>
        {since !== undefined && (
          <span class="note number">+{duration((Date.parse(event.timestamp) - Date.parse(since)) / 1000)}</span>
        )}
        <details>
          <summary>
            <bdi>{eventName(event)}</bdi> <bdi class="soft">{gist(event)}</bdi>
          </summary>
          <Everything event={event} />
        </details>
        {tells === 'session' && (
          <a class="note" href={href('session', [event.session_id])}>
            session
          </a>
        )}
        {tells === 'user' && event.user_id !== null && (
          <a class="note" href={href('person', [event.user_id])}>
            <bdi>{event.user_id}</bdi>
          </a>
        )}
      </li>
    ))}
  </ol>
);

/** All that an event holds. */
const Everything = ({ event: { metadata, id, created_at, user_id, session_id } }: { event: StoredEvent }) => {
  const rows = [
    ...Object.entries(metadata).map(([name, value]) => [name, written(value)]),
    ['user', user_id ?? ''],
    ['session', session_id],
    ['received', created_at],
    ['id', id],
  ];
  return (
    <dl class="everything">
      {rows.map(
        ([name = '', value = ''], index) =>
          value !== '' && (
            <div key={index}>
              <dt>
                <bdi>{name}</bdi>
              </dt>
              <dd>
                <bdi>{value}</bdi>
              </dd>
            </div>
          ),
      )}
    </dl>
  );
};
