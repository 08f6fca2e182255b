// The figures that are asked for by name, and what people call them.

/** A figure of the question language. */
export interface Metric {
  name: string;
  title: string;
  /** Whether the figures of all values add up to the whole, or are at least parts of it. */
  hasParts: boolean;
}

export const METRICS: Metric[] = [
  { name: 'events', title: 'Events', hasParts: true },
  { name: 'visitors', title: 'Visitors', hasParts: true },
  { name: 'sessions', title: 'Sessions', hasParts: true },
  { name: 'users', title: 'Users', hasParts: true },
  { name: 'events_per_session', title: 'Events per session', hasParts: false },
];

/** The figures of the overview. */
export const HEADLINES = ['events', 'visitors', 'sessions', 'events_per_session'];

/** What a figure is called: those with a name of their own by it, all others as they are asked. */
export const metricTitle = (name: string): string => METRICS.find((metric) => metric.name === name)?.title ?? name;

/** Whether a figure is a part of that of all events. */
export const hasParts = (name: string): boolean => METRICS.find((metric) => metric.name === name)?.hasParts ?? false;
