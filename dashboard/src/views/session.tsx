// One session, event by event.
import { useAnswer } from '../api/answer';
import { duration, number, time } from '../format';
import { useSelection } from '../question';
import { href, usePlace } from '../route';
import { Events } from '../timeline/events';
import { Facts } from '../timeline/facts';
import { Pages, useCursor, useCursorOf } from '../timeline/pages';
import type { VisitEvents } from '../timeline/shapes';
import { Panel } from '../widgets/panel';
import '../style/timeline.css';

const ROWS = 200;

export default () => {
  const [id] = usePlace().rest;
  const { tz } = useSelection();
  const cursor = useCursor();
  const pairs = new URLSearchParams({ tz, limit: String(ROWS), ...(cursor ? { cursor } : {}) });
  const answer = useAnswer<VisitEvents>(id === undefined ? undefined : `/api/sessions/${encodeURIComponent(id)}?${pairs}`);
  useCursorOf(answer);
  if (id === undefined) {
    return (
      <p class="empty">
        No session is named. <a href={href('sessions')}>Choose one of the list</a>.
      </p>
    );
  }
  return (
    <Panel title="Session" answer={answer} height={600} note={<bdi>{id}</bdi>}>
      {({ session, results, meta }) => (
        <>
          <Facts
            facts={[
              [
                'Who',
                session.user_id === null ? (
                  'not named'
                ) : (
                  <a href={href('person', [session.user_id])}>
                    <bdi>{session.user_id}</bdi>
                  </a>
                ),
              ],
              ['Started', time(session.started_at, tz)],
              ['Duration', duration(session.duration_seconds)],
              ['Events', number(session.events)],
            ]}
          />
          <Events events={results} tz={tz} since={session.started_at} label="Events, oldest first" />
          <Pages next={meta.next_cursor} label="Later events" />
        </>
      )}
    </Panel>
  );
};
