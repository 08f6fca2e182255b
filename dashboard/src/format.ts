// Numbers and times as people of the browser's language write them.

const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

const numbers = (options: Intl.NumberFormatOptions) => {
  const key = `n${JSON.stringify(options)}`;
  let format = cache.get(key) as Intl.NumberFormat | undefined;
  if (!format) cache.set(key, (format = new Intl.NumberFormat(undefined, options)));
  return format;
};

const zones = new Map<string, string>();

/** The zone where the browser knows it, else UTC: a URL may name any, which the API then refuses by a sentence. */
export const knownZone = (timeZone: string): string => {
  let known = zones.get(timeZone);
  if (known === undefined) {
    try {
      known = new Intl.DateTimeFormat(undefined, { timeZone }) && timeZone;
    } catch {
      known = 'UTC';
    }
    zones.set(timeZone, known);
  }
  return known;
};

const dates = ({ timeZone = 'UTC', ...others }: Intl.DateTimeFormatOptions) => {
  const options = { ...others, timeZone: knownZone(timeZone) };
  const key = `d${JSON.stringify(options)}`;
  let format = cache.get(key) as Intl.DateTimeFormat | undefined;
  if (!format) cache.set(key, (format = new Intl.DateTimeFormat(undefined, options)));
  return format;
};

/** What stands where there is no value. */
export const NOTHING = '–';

/** The number in full: `12,345`, `3.14`. */
export const number = (value: number | null | undefined): string => {
  if (value === null || value === undefined) return NOTHING;
  const isHuge = Math.abs(value) >= 1e15;
  return numbers(isHuge ? { notation: 'scientific', maximumFractionDigits: 3 } : { maximumFractionDigits: 2 }).format(value);
};

/** The number where there is little room: `12K`. */
export const short = (value: number | null | undefined): string =>
  value === null || value === undefined
    ? NOTHING
    : numbers(Math.abs(value) < 10_000 ? { maximumFractionDigits: 2 } : { notation: 'compact', maximumFractionDigits: 1 }).format(
        value,
      );

/** A part of one as percent: `0.123` is `12.3%`. */
export const percent = (part: number | null | undefined): string =>
  part === null || part === undefined || !Number.isFinite(part)
    ? NOTHING
    : numbers({ style: 'percent', maximumFractionDigits: Math.abs(part) < 0.1 ? 1 : 0 }).format(part);

/** How much more or less than before: `+12%`; nothing where there is nothing to compare with. */
export const difference = (now: number | null | undefined, before: number | null | undefined): string => {
  if (now === null || now === undefined || !before) return NOTHING;
  const part = (now - before) / Math.abs(before);
  return numbers({ style: 'percent', maximumFractionDigits: Math.abs(part) < 0.1 ? 1 : 0, signDisplay: 'exceptZero' }).format(
    part,
  );
};

/** A span of time: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export const duration = (seconds: number | null | undefined): string => {
  if (seconds === null || seconds === undefined) return NOTHING;
  const unit = (value: number, name: string, digits = 0) =>
    numbers({ style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: digits }).format(value);
  if (seconds < 1) return unit(seconds * 1000, 'millisecond');
  if (seconds < 60) return unit(seconds, 'second', seconds < 10 ? 1 : 0);
  const whole = Math.round(seconds);
  const pair = (large: number, size: number, name: string, small: string, smallSize: number) => {
    const rest = Math.floor((whole - large * size) / smallSize);
    return rest === 0 ? unit(large, name) : `${unit(large, name)} ${unit(rest, small)}`;
  };
  if (whole < 3600) return pair(Math.floor(whole / 60), 60, 'minute', 'second', 1);
  if (whole < 86_400) return pair(Math.floor(whole / 3600), 3600, 'hour', 'minute', 60);
  return pair(Math.floor(whole / 86_400), 86_400, 'day', 'hour', 3600);
};

/** How long ago it was: `5 minutes ago`. */
export const age = (at: number, now = Date.now()): string => {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  const format = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
  if (seconds < 60) return format.format(-seconds, 'second');
  if (seconds < 3600) return format.format(-Math.round(seconds / 60), 'minute');
  if (seconds < 86_400) return format.format(-Math.round(seconds / 3600), 'hour');
  return format.format(-Math.round(seconds / 86_400), 'day');
};

/** How long a bucket of time is. */
export type Interval = 'minute' | 'hour' | 'day' | 'week' | 'month';

/** The start of a bucket: `14 Nov 2026`, `14 Nov 2026, 10:00`. */
export const bucket = (instant: string | number, interval: Interval, timeZone: string): string => {
  const date = new Date(instant);
  if (Number.isNaN(date.getTime())) return String(instant);
  if (interval === 'month') return dates({ timeZone, month: 'long', year: 'numeric' }).format(date);
  if (interval === 'hour' || interval === 'minute')
    return dates({ timeZone, dateStyle: 'medium', timeStyle: 'short' }).format(date);
  return dates({ timeZone, dateStyle: 'medium' }).format(date);
};

/** An instant to the second. */
export const time = (instant: string | number, timeZone: string): string => {
  const date = new Date(instant);
  return Number.isNaN(date.getTime())
    ? String(instant)
    : dates({ timeZone, dateStyle: 'medium', timeStyle: 'medium' }).format(date);
};

/** A date without a time: `2026-11-14`. */
export const day = (date: string): string => {
  const read = new Date(`${date}T00:00:00Z`);
  return Number.isNaN(read.getTime()) ? date : dates({ timeZone: 'UTC', dateStyle: 'medium' }).format(read);
};

/** Two ends of a range, the second excluded, as the last days or minutes that they hold. */
export const span = (from: string, to: string, timeZone: string): string => {
  const [first, last] = [new Date(from), new Date(new Date(to).getTime() - 1)];
  if (Number.isNaN(first.getTime()) || Number.isNaN(last.getTime())) return `${from}, ${to}`;
  return dates({ timeZone, dateStyle: 'medium' }).formatRange(first, last);
};
