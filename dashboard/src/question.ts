// What every view asks about: range, zone, comparison and filters, as they stand in the URL.
import { useMemo } from 'preact/hooks';
import type { Filter } from './filters';
import { filtersOf } from './filters';
import { change, type Place, usePlace } from './route';

/** The selection that all views share. */
export interface Selection {
  /** A word such as `30d`, or two ends joined by a comma. */
  range: string;
  tz: string;
  /** `previous_period`, `previous_year`, a range, or nothing. */
  compare?: string;
  filters: Filter[];
}

/** The range where the URL names none. */
export const DEFAULT_RANGE = '30d';

/** Reads the selection of a place. */
export const selectionOf = ({ params }: Place): Selection => {
  const compare = params.get('compare');
  return {
    range: params.get('range') || DEFAULT_RANGE,
    tz: params.get('tz') || 'UTC',
    ...(compare ? { compare } : {}),
    filters: filtersOf(params.get('filter')),
  };
};

/** The selection of the current place. */
export const useSelection = (): Selection => {
  const place = usePlace();
  const { params } = place;
  const key = ['range', 'tz', 'compare', 'filter'].map((name) => params.get(name)).join('\n');
  return useMemo(() => selectionOf(place), [key]);
};

/** The selection as parameters of a `GET` form. */
export const parameters = (selection: Selection, more: Record<string, string | number | string[] | undefined> = {}): string => {
  const { range, tz, compare, filters } = selection;
  const pairs = new URLSearchParams({ range, tz });
  if (compare) pairs.set('compare', compare);
  if (filters.length > 0) pairs.set('filter', JSON.stringify(filters));
  for (const [name, value] of Object.entries(more)) {
    if (value === undefined) pairs.delete(name);
    else for (const one of Array.isArray(value) ? value : [value]) pairs.append(name, String(one));
  }
  return pairs.toString();
};

/** The selection as members of a question's body. */
export const members = ({ range, tz, compare, filters }: Selection): Record<string, unknown> => ({
  date_range: ends(range),
  timezone: tz,
  ...(filters.length > 0 ? { filters } : {}),
  ...(compare ? { compare: ends(compare) } : {}),
});

/** A range as a question's body has it: a word, or a list of two ends. */
export const ends = (range: string): string | string[] => (range.includes(',') ? range.split(',') : range);

/** Puts filters into the URL. */
export const setFilters = (filters: Filter[]) => change({ filter: filters.length > 0 ? JSON.stringify(filters) : null });
