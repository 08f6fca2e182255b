// Sessions, people and their events, as the API tells them.

/** A stored event. */
export interface StoredEvent {
  id: string;
  session_id: string;
  user_id: string | null;
  event_type: string;
  event_action: string;
  metadata: Record<string, unknown>;
  timestamp: string;
  created_at: string;
}

/** What happened in one go, as far as the range goes. */
export interface Visit {
  session_id: string;
  user_id: string | null;
  started_at: string;
  ended_at: string;
  duration_seconds: number;
  events: number;
  entry_action: string;
  exit_action: string;
}

/** A page of rows, and where the next one begins. */
export interface Page<Row> {
  results: Row[];
  meta: { next_cursor: string | null };
}

/** What `GET /api/sessions/{id}` answers. */
export interface VisitEvents extends Page<StoredEvent> {
  session: Visit;
}

/** Somebody with a name. */
export interface Person {
  user_id: string;
  first_seen_at: string;
  last_seen_at: string;
  events: number;
  sessions: number;
}

/** What `GET /api/users/{id}` answers. */
export interface PersonEvents extends Page<StoredEvent> {
  user: Person;
}

/** What an event is called: its type and its action. */
export const eventName = ({ event_type, event_action }: StoredEvent): string => `${event_type} · ${event_action}`;

/** A value of metadata in one line. */
export const written = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** What tells most of an event in a word: where it was, or what it was about. */
export const gist = ({ metadata }: StoredEvent): string => {
  for (const name of ['path', 'url', 'title', 'name', 'plan', 'label']) {
    const { [name]: value } = metadata;
    if (typeof value === 'string' && value) return value;
  }
  return '';
};
