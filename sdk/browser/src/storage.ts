import { attempt } from './attempt';

/** Where texts are kept under names: a storage of the browser, or an object that stands in for one. */
export type Store = Record<string, string>;

/** The browser's storage of this kind; for any other kind, and where the browser refuses it, memory. */
export const storage = (kind: string): Store =>
  attempt(() => (window as unknown as Record<string, Store | null>)[kind + 'Storage']) || {};

/** Keeps a text under a name, or forgets what was there; where the store takes nothing, nothing happens. */
export const keep = (store: Store, name: string, text: string) =>
  attempt(() => (text ? (store[name] = text) : delete store[name]));
