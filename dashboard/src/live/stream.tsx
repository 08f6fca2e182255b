// Events as they are stored, newest first.
import { useEffect, useRef, useState } from 'preact/hooks';
import { chosenProject } from '../api/ask';
import type { Filter } from '../filters';
import { duration, number } from '../format';
import { Events } from '../timeline/events';
import type { StoredEvent } from '../timeline/shapes';
import { Feed, type Standing } from './feed';
import { addNewest, MOST_SHOWN } from './shown';

/** How often what has come is drawn, in milliseconds: many events a second are one drawing. */
const FRAME = 250;

const open = (): WebSocket => {
  const address = new URL('realtime', document.baseURI);
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const project = chosenProject();
  if (project !== undefined) address.searchParams.set('project', project);
  return new WebSocket(address, 'analytics.v1');
};

/** Why no socket opens: a browser tells no page what the server answered to it. */
const reason = async (): Promise<string | undefined> => {
  try {
    const response = await fetch(new URL('realtime', document.baseURI), {
      headers: { Accept: 'application/json' },
      credentials: 'same-origin',
    });
    if (response.status === 404) return 'No realtime role answers at this address, so events are not shown as they come.';
    if (response.status !== 401 && response.status !== 403) return undefined;
    const { detail } = (await response.json()) as { detail?: string };
    return `The live events were refused: ${detail ?? response.statusText}.`;
  } catch {
    return undefined;
  }
};

interface Props {
  filters: Filter[];
  tz: string;
}

/** The panel of events that tick in. */
export const EventStream = ({ filters, tz }: Props) => {
  const [events, setEvents] = useState<StoredEvent[]>([]);
  const [missed, setMissed] = useState<number | null>(0);
  const [standing, setStanding] = useState<Standing>({ is: 'connecting' });
  const [why, setWhy] = useState<string>();
  const [isHeld, setHeld] = useState(false);
  const held = useRef(false);
  const feed = useRef<Feed | undefined>(undefined);
  const key = JSON.stringify([filters, chosenProject()]);

  useEffect(() => {
    let waiting: StoredEvent[] = [];
    let hasOpened = false;
    setEvents([]);
    setMissed(0);
    setWhy(undefined);
    const drawing = setInterval(() => {
      if (waiting.length === 0) return;
      const come = waiting;
      waiting = [];
      setEvents((shown) => addNewest(shown, come));
    }, FRAME);
    const mine = new Feed(
      filters,
      {
        events: (come) => {
          waiting.push(...come);
          // Of what nobody can see drawn, only the newest is kept.
          if (waiting.length > 2 * MOST_SHOWN) waiting = waiting.slice(-MOST_SHOWN);
        },
        missed: (count) => setMissed((known) => (known === null || count === null ? null : known + count)),
        standing: (next) => {
          setStanding(next);
          if (next.is === 'live') {
            hasOpened = true;
            setWhy(undefined);
          }
          if (next.is === 'waiting' && !hasOpened) void reason().then(setWhy);
        },
      },
      {
        open,
        now: Date.now,
        chance: Math.random,
        later: (work, milliseconds) => window.setTimeout(work, milliseconds),
        cancel: (timer) => window.clearTimeout(timer),
      },
    );
    feed.current = mine;
    const looked = () => (document.hidden || held.current ? mine.pause() : mine.start());
    looked();
    document.addEventListener('visibilitychange', looked);
    addEventListener('online', looked);
    return () => {
      document.removeEventListener('visibilitychange', looked);
      removeEventListener('online', looked);
      clearInterval(drawing);
      mine.stop();
    };
  }, [key]);

  const hold = () => {
    held.current = !isHeld;
    setHeld(held.current);
    if (held.current) feed.current?.pause();
    else feed.current?.start();
  };
  return (
    <section class="panel" aria-labelledby="stream-title">
      <header class="panel-head">
        <h2 id="stream-title">Events</h2>
        <div class="panel-actions">
          <StandingWords standing={standing} isHeld={isHeld} />
          <button type="button" aria-pressed={isHeld} onClick={hold}>
            Hold
          </button>
        </div>
      </header>
      {why && (
        <p class="stale" role="status">
          {why} The figures above are asked again every few seconds.
        </p>
      )}
      {missed !== 0 && (
        <p class="stale" role="status">
          {missed === null ? 'Some events are not shown here' : `${number(missed)} events are not shown here`}: more came than
          could be shown, or the connection was away too long. Counts elsewhere have them.
        </p>
      )}
      <div class="scroll stream" role="region" aria-label="Newest events" tabIndex={0}>
        {events.length === 0 ? (
          <p class="empty">{filters.length > 0 ? 'No event that passes the filters has come yet.' : 'No event has come yet.'}</p>
        ) : (
          <Events events={events} tz={tz} tells="user" label={`The newest ${MOST_SHOWN} events, newest first`} />
        )}
      </div>
    </section>
  );
};

const StandingWords = ({ standing, isHeld }: { standing: Standing; isHeld: boolean }) => {
  const [now, setNow] = useState(Date.now);
  const isWaiting = standing.is === 'waiting';
  useEffect(() => {
    if (!isWaiting) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isWaiting]);
  const words = (): string => {
    switch (standing.is) {
      case 'live':
        return 'Live';
      case 'connecting':
        return 'Connecting';
      case 'paused':
        return isHeld ? 'Held' : 'Paused';
      case 'waiting':
        return `Not connected; again in ${duration(Math.max(1, Math.ceil((standing.at - now) / 1000)))}`;
      case 'refused':
        return `Refused: ${standing.message}`;
    }
  };
  return (
    <span class={`standing is-${standing.is}`} role="status">
      {words()}
    </span>
  );
};
