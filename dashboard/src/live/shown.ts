// Which events a live list shows.
import type { StoredEvent } from '../timeline/shapes';

/** The most that are shown; what is older is in the sessions. */
export const MOST_SHOWN = 100;

/** The list with what has come before it, newest first; what came twice is there once. */
export const addNewest = (shown: readonly StoredEvent[], come: readonly StoredEvent[]): StoredEvent[] => {
  const known = new Set<string>();
  const list: StoredEvent[] = [];
  for (const event of [...[...come].reverse(), ...shown]) {
    if (known.has(event.id)) continue;
    known.add(event.id);
    list.push(event);
    if (list.length === MOST_SHOWN) break;
  }
  return list;
};
