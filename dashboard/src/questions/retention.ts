// The question of retention as the view keeps it: the body of `POST /api/retention` without range and zone.
import type { Filter } from '../filters';
import { oneOf, readObject, readSide, wholeNumber, without } from './shape';

export const UNITS = ['week', 'day', 'month'] as const;
export const MODES = ['on', 'on_or_after'] as const;
export const FIRSTS = ['in_range', 'ever'] as const;
export const SUBJECTS = ['person', 'session'] as const;
/** More columns are allowed by the API, and read by nobody. */
export const MOST_PERIODS = 31;

export interface RetentionQuestion {
  start: { filters: Filter[] };
  return: { filters: Filter[] };
  unit: (typeof UNITS)[number];
  periods: number;
  mode: (typeof MODES)[number];
  first: (typeof FIRSTS)[number];
  by: (typeof SUBJECTS)[number];
}

export interface RetentionCell {
  count: number;
  out_of: number;
  incomplete: boolean;
}

/** What `POST /api/retention` answers. */
export interface RetentionAnswer {
  cohorts: { start: string; size: number; cells: RetentionCell[] }[];
}

const PERIODS = 8;

/** Reads what stands in the address; `unit` is what is asked for where it names none. */
export const readRetention = (written: string | undefined, unit: RetentionQuestion['unit'] = 'week'): RetentionQuestion => {
  const value = readObject(written);
  return {
    start: { filters: readSide(value['start']) ?? [] },
    return: { filters: readSide(value['return']) ?? [] },
    unit: value['unit'] === undefined ? unit : oneOf(value['unit'], UNITS),
    periods: wholeNumber(value['periods'], 1, MOST_PERIODS, PERIODS),
    mode: oneOf(value['mode'], MODES),
    first: oneOf(value['first'], FIRSTS),
    by: oneOf(value['by'], SUBJECTS),
  };
};

/** What stands in the address. */
export const writeRetention = (question: RetentionQuestion): string => {
  const none = { filters: [] };
  const defaults = { start: none, return: none, periods: PERIODS, mode: MODES[0], first: FIRSTS[0], by: SUBJECTS[0] };
  return JSON.stringify(without(question, defaults));
};

/** A unit that gives a range some rows. */
export const unitFor = (range: string): RetentionQuestion['unit'] => {
  if (['today', 'yesterday', '24h', '7d'].includes(range)) return 'day';
  return range === 'year' || range === 'all' ? 'month' : 'week';
};
