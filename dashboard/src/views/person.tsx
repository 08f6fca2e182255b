// What one person did, over all sessions.
import { useAnswer } from '../api/answer';
import { number, time } from '../format';
import { useSelection } from '../question';
import { href, usePlace } from '../route';
import { Events } from '../timeline/events';
import { Facts } from '../timeline/facts';
import { Pages, useCursor, useCursorOf } from '../timeline/pages';
import type { PersonEvents } from '../timeline/shapes';
import { Panel } from '../widgets/panel';
import '../style/timeline.css';

const ROWS = 100;

export default () => {
  const [id] = usePlace().rest;
  const { tz } = useSelection();
  const cursor = useCursor();
  const pairs = new URLSearchParams({ tz, limit: String(ROWS), ...(cursor ? { cursor } : {}) });
  const answer = useAnswer<PersonEvents>(id === undefined ? undefined : `/api/users/${encodeURIComponent(id)}?${pairs}`);
  useCursorOf(answer);
  if (id === undefined) {
    return (
      <p class="empty">
        Nobody is named. <a href={href('sessions')}>Choose somebody of the list of sessions</a>.
      </p>
    );
  }
  return (
    <Panel title="Person" answer={answer} height={600} note={<bdi>{id}</bdi>}>
      {({ user, results, meta }) => (
        <>
          <Facts
            facts={[
              ['First seen', time(user.first_seen_at, tz)],
              ['Last seen', time(user.last_seen_at, tz)],
              ['Sessions', number(user.sessions)],
              ['Events', number(user.events)],
            ]}
          />
          <Events events={results} tz={tz} tells="session" label="Events, newest first" />
          <Pages next={meta.next_cursor} label="Earlier events" />
        </>
      )}
    </Panel>
  );
};
