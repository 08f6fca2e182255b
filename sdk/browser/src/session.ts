import { uuid } from './ids';
import { keep, type Store } from './storage';

/** After how long without an event a session is over, in milliseconds. */
const IDLE = 18e5;

/**
 * The session of a tab: a function that gives the id for what happens now, by `user` where one is named.
 *
 * `end` ends a session in which a user was named: what follows is somebody else's. What is kept is the id, whether a user was
 * named, and when the last event was.
 */
export const sessions = (store: Store, name: string) => {
  // What could not be kept in the store holds for this page at least.
  let last = '';
  return (user?: unknown, end?: boolean): string => {
    const record = store[name] || last;
    const now = Date.now();
    const named = record[36] == '1';
    const lasts = now - +record.slice(37) < IDLE && !(end && named);
    const id = lasts ? record.slice(0, 36) : uuid();
    keep(store, name, (last = id + (user || (lasts && named) ? 1 : 0) + now));
    return id;
  };
};
