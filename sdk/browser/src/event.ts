/** What an event says besides what it is: anything that JSON can hold. */
export type Metadata = Record<string, unknown>;

/** An event, as the collector takes it. */
export interface Event {
  id: string;
  session_id: string;
  user_id?: string | undefined;
  event_type: string;
  event_action: string;
  metadata: Metadata;
  timestamp: number;
}

/** An event is told its time only when it is sent later than this, in milliseconds. */
const FRESH = 5e3;

/** Most characters of a request. In UTF-8 they are at most 60,000 bytes: what a browser lets be on its way at a page's end. */
const ROOM = 2e4;

/** The events from the front that go into one request: one at least. */
export const batch = (events: Event[]): Event[] => {
  let room = ROOM;
  return events.filter((event, index) => (room -= JSON.stringify(event).length) > 0 || !index);
};

/**
 * The body of a request.
 *
 * A fresh event goes without its time and gets that of its receipt, since clocks of devices are often wrong. Halves of
 * characters and U+0000, which no store can hold, become U+FFFD.
 */
export const body = (events: Event[]): string =>
  JSON.stringify(
    {
      events: events.map((event) => ({
        ...event,
        timestamp: Date.now() - event.timestamp < FRESH ? undefined : event.timestamp,
      })),
    },
    (_, value: unknown) => (typeof value == 'string' ? value.replace(/[\0\ud800-\udfff]/gu, '\ufffd') : value),
  );
