// How long the buckets of a chart are.
import type { Interval } from './format';

export const INTERVALS: Interval[] = ['minute', 'hour', 'day', 'week', 'month'];

const DAY = 86_400_000;

const BY_WORD: Record<string, Interval> = {
  today: 'hour',
  yesterday: 'hour',
  '24h': 'hour',
  '7d': 'day',
  '30d': 'day',
  '90d': 'day',
  month: 'day',
  year: 'week',
  all: 'month',
};

/** The interval that gives a chart of a range neither a few points nor thousands. */
export const intervalOf = (range: string): Interval => {
  const word = BY_WORD[range];
  if (word) return word;
  const [from = '', to = ''] = range.split(',').map(Date.parse);
  const days = (Number(to) - Number(from)) / DAY + (range.includes('T') ? 0 : 1);
  if (!Number.isFinite(days)) return 'day';
  if (days <= 0.1) return 'minute';
  if (days <= 3) return 'hour';
  if (days <= 120) return 'day';
  return days <= 800 ? 'week' : 'month';
};

/** The interval that a URL names, or the one that suits its range. */
export const chosenInterval = (named: string | null, range: string): Interval =>
  INTERVALS.find((interval) => interval === named) ?? intervalOf(range);
