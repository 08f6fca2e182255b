// A part of a view that shows one answer, in every state that an answer can be in.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';
import type { Answer } from '../api/answer';
import type { Failure } from '../api/failure';
import { age } from '../format';
import { change } from '../route';

interface Props<T> {
  title: string;
  answer: Answer<T>;
  children: (data: T) => ComponentChildren;
  /** How high the content will be, in pixels, so that nothing jumps when it comes. */
  height?: number;
  /** Whether there is nothing to show. */
  isEmpty?: (data: T) => boolean;
  /** What to do where there is nothing. */
  empty?: ComponentChildren;
  /** Stands beside the title. */
  actions?: ComponentChildren;
  /** Stands below the title. */
  note?: ComponentChildren;
  class?: string;
}

/** A part of a view that shows one answer: while it comes, when it has come, and where it does not come. */
export const Panel = <T,>({ title, answer, children, height = 120, isEmpty, empty, actions, note, ...more }: Props<T>) => {
  const heading = useId();
  const { data, failure, isLoading, isOther } = answer;
  return (
    <section class={`panel ${more.class ?? ''}`} aria-labelledby={heading} aria-busy={isLoading}>
      <header class="panel-head">
        <h2 id={heading}>{title}</h2>
        {actions && <div class="panel-actions">{actions}</div>}
      </header>
      {note && <p class="note">{note}</p>}
      {failure && data !== undefined && <Stale answer={answer} failure={failure} />}
      <div class={`panel-body${isOther ? ' is-other' : ''}`} style={{ minHeight: `${height}px` }}>
        {data !== undefined ? (
          isEmpty?.(data) ? (
            <p class="empty">{empty ?? 'No events in this range. Choose a longer range or fewer filters.'}</p>
          ) : (
            children(data)
          )
        ) : failure ? (
          <Trouble failure={failure} retry={answer.retry} />
        ) : (
          <Skeleton height={height} />
        )}
      </div>
    </section>
  );
};

/** What stands where an answer will be. */
export const Skeleton = ({ height }: { height: number }) => (
  <div class="skeleton" style={{ height: `${height}px` }}>
    <span class="unseen">Loading</span>
  </div>
);

/** The time, again every so many seconds. */
const useNow = (seconds: number) => {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), seconds * 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
};

const Stale = <T,>({ answer, failure }: { answer: Answer<T>; failure: Failure }) => {
  const now = useNow(5);
  return (
    <p class="stale" role="status">
      {sentence(failure)} These figures are from {age(answer.at ?? now, now)}.{' '}
      <button type="button" class="plain" onClick={answer.retry}>
        Try again
      </button>
    </p>
  );
};

/** What happened, as a sentence with a full stop. */
export const sentence = ({ message }: Failure): string =>
  `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.!?]$/.test(message) ? '' : '.'}`;

/** What to change, by the `path` of a refusal. */
const advice = ({ path = '', status }: Failure): string => {
  const member = path.split(/[.[]/)[0] ?? '';
  const known: Record<string, string> = {
    date_range: 'Choose a shorter range.',
    range: 'Choose a shorter range.',
    days: 'Choose a shorter range.',
    dimensions: 'Ask by fewer properties, or by one with fewer values; or add a filter.',
    dimension: 'Ask by fewer properties, or by one with fewer values; or add a filter.',
    interval: 'Choose a longer interval, or a shorter range.',
    window: 'Choose a shorter time to go through the steps.',
    breakdown: 'Break down by a property with fewer values, or by none.',
    name: 'Name the events by something with fewer values.',
    filter: 'Change or remove the filter.',
    filters: 'Change or remove the filter.',
    tz: 'Choose another time zone.',
    timezone: 'Choose another time zone.',
  };
  return known[member] ?? (path && status < 500 ? `It is about “${path}”.` : '');
};

/** What a status means to who reads it. */
const REASONS: Record<number, string> = { 403: 'This key may not do that.', 422: 'This question is too large.' };

/** An answer that did not come, why, and what can be done. */
export const Trouble = ({ failure, retry }: { failure: Failure; retry: () => void }) => {
  const { status, code, path = '' } = failure;
  const isAboutFilters = /^filters?\b/.test(path);
  if (status === 401) return <p class="trouble">Nobody is signed in. Sign in with a key of the project to see this.</p>;
  if (code === 'loopback_only') {
    return (
      <div class="trouble" role="alert">
        <p>This server has no keys, so it answers only its own machine.</p>
        <p>
          Set <code>API_KEYS</code> where it is started, and sign in here with one of them.
        </p>
      </div>
    );
  }
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>{REASONS[status] ?? ''}</strong> {sentence(failure)}
      </p>
      {advice(failure) && <p>{advice(failure)}</p>}
      <p class="row">
        {failure.isPassing || status >= 500 ? (
          <button type="button" onClick={retry}>
            Try again
          </button>
        ) : null}
        {isAboutFilters && (
          <button type="button" onClick={() => change({ filter: null })}>
            Remove all filters
          </button>
        )}
        {failure.isPassing && <span class="note">It is also tried again by itself.</span>}
      </p>
    </div>
  );
};
