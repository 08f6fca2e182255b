// Where the page is. All of it stands in the hash of the URL, so that a link shows somebody else the same.
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';

/** A view, what stands behind its name, and what is chosen in it. */
export interface Place {
  view: string;
  /** Parts of the path behind the view's name, decoded: `#/session/a%2Fb` has `['a/b']`. */
  rest: string[];
  params: URLSearchParams;
}

/** What is kept when another view is opened. */
export const SHARED = ['project', 'range', 'tz', 'compare', 'filter'] as const;

/** The view of a URL that names none. */
export const HOME = 'overview';

/** Changes of parameters: `null`, `''` and an empty list take one away, a list writes it once for each. */
export type Patch = Record<string, string | string[] | null | undefined>;

const decoded = (text: string) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** Reads a hash. */
export const parse = (hash: string): Place => {
  const [path = '', ...query] = hash.replace(/^#?\/?/, '').split('?');
  const [view, ...rest] = path.split('/').map(decoded);
  return { view: view || HOME, rest: rest.filter(Boolean), params: new URLSearchParams(query.join('?')) };
};

/** Writes a hash. */
export const format = ({ view, rest, params }: Place): string => {
  const path = [view, ...rest].map(encodeURIComponent).join('/');
  // What a range, a zone and a list are written with needs no escape here, and is read by people.
  const query = params.toString().replace(/%2C/g, ',').replace(/%2F/g, '/').replace(/%3A/g, ':');
  return `#/${path}${query && `?${query}`}`;
};

/** The place that the URL names now. */
export const here = (): Place => parse(location.hash);

const patched = (params: URLSearchParams, patch: Patch) => {
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    params.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) if (one) params.append(name, one);
  }
  return params;
};

/** The place of another view, with what is shared kept. */
export const elsewhere = (view: string, rest: string[] = [], patch: Patch = {}, from: Place = here()): Place => {
  const params = new URLSearchParams();
  for (const name of SHARED) {
    const value = from.params.get(name);
    if (value) params.set(name, value);
  }
  return { view, rest, params: patched(params, patch) };
};

/** The address of another view, for a link. */
export const href = (view: string, rest: string[] = [], patch: Patch = {}, from?: Place): string =>
  format(elsewhere(view, rest, patch, from));

/** The same place with changed parameters. */
export const changed = (patch: Patch, from: Place = here()): Place => ({
  ...from,
  params: patched(new URLSearchParams(from.params), patch),
});

const told = new Set<() => void>();

/** Goes to a place; `replace` leaves no step to go back to. */
export const go = (place: Place, { replace = false } = {}) => {
  const hash = format(place);
  if (hash === location.hash) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', hash);
  for (const tell of told) tell();
};

/** Changes parameters of the current place. */
export const change = (patch: Patch, options?: { replace?: boolean }) => go(changed(patch), options);

/** Where a part of the page is that shows something else than the URL says, as a tile of a board. */
export const PlaceContext = createContext<Place | undefined>(undefined);

/** Whether this part of the page shows something else than the URL says, so that nothing can be chosen in it. */
export const useIsTile = (): boolean => useContext(PlaceContext) !== undefined;

/** The current place; a component that uses it is drawn anew when it changes. */
export const usePlace = (): Place => {
  const given = useContext(PlaceContext);
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const tell = () => setPlace(here());
    told.add(tell);
    addEventListener('hashchange', tell);
    addEventListener('popstate', tell);
    tell();
    return () => {
      told.delete(tell);
      removeEventListener('hashchange', tell);
      removeEventListener('popstate', tell);
    };
  }, []);
  return given ?? place;
};
