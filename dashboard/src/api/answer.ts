// An answer that a component shows: asked when it is needed, kept when the server is away, asked again by itself.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ask, chosenProject } from './ask';
import { Failure, isAbort } from './failure';

/** An answer as it is known now. */
export interface Answer<T> {
  /** The last answer to this very question, or, where `isOther`, to the one before. */
  data?: T;
  /** Whether `data` answers the question before this one; to be shown faintly. */
  isOther: boolean;
  /** When `data` came, in milliseconds. */
  at?: number;
  failure?: Failure;
  isLoading: boolean;
  /** Asks again, past every cache. */
  retry: () => void;
}

interface Kept {
  data: unknown;
  at: number;
}

/** How many answers are kept for whoever comes back to them. */
const MOST = 150;
const kept = new Map<string, Kept>();

const keep = (key: string, data: unknown) => {
  kept.delete(key);
  kept.set(key, { data, at: Date.now() });
  if (kept.size > MOST) kept.delete(kept.keys().next().value!);
};

/** Forgets all answers, as when another person signs in. */
export const forget = () => kept.clear();

/** Has every answer on the page asked again. */
export const refreshAll = () => dispatchEvent(new Event('analytics:refresh'));

/** The longest pause between two tries, in seconds. */
const LONGEST_PAUSE = 30;

/**
 * The answer to `path`, asked with `body` where there is one; nothing is asked while `path` is undefined.
 *
 * What is asked no longer is aborted. Where the server is away it is asked again by itself, ever more rarely.
 */
export const useAnswer = <T>(path: string | undefined, body?: unknown): Answer<T> => {
  const text = body === undefined ? '' : JSON.stringify(body);
  const key = path === undefined ? '' : `${chosenProject() ?? ''}\n${path}\n${text}`;
  const [tries, setTries] = useState(0);
  const [failure, setFailure] = useState<{ key: string; failure: Failure }>();
  const [settled, setSettled] = useState('');
  const shown = useRef<Kept | undefined>(undefined);
  const pauses = useRef(0);
  const fresh = useRef(false);

  const retry = useCallback(() => {
    fresh.current = true;
    setTries((tries) => tries + 1);
  }, []);

  useEffect(() => {
    addEventListener('analytics:refresh', retry);
    return () => removeEventListener('analytics:refresh', retry);
  }, []);

  const attempt = `${tries}\n${key}`;
  useEffect(() => {
    if (path === undefined) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = () => setTries((tries) => tries + 1);
    const options = { signal: controller.signal, fresh: fresh.current, ...(text ? { body: JSON.parse(text) as unknown } : {}) };
    fresh.current = false;
    ask<T>(path, options)
      .then((data) => {
        pauses.current = 0;
        keep(key, data);
        setFailure(undefined);
        setSettled(attempt);
      })
      .catch((error: unknown) => {
        if (controller.signal.aborted || isAbort(error)) return;
        const failed = error instanceof Failure ? error : new Failure(0, 'defect', String(error));
        setFailure({ key, failure: failed });
        setSettled(attempt);
        if (!failed.isPassing) return;
        const pause = Math.min(failed.retryAfter ?? 2 ** ++pauses.current, LONGEST_PAUSE);
        timer = setTimeout(again, pause * 1000 * (1 + Math.random() / 4));
        addEventListener('online', again, { once: true });
      });
    return () => {
      controller.abort();
      clearTimeout(timer);
      removeEventListener('online', again);
    };
  }, [attempt]);

  const own = kept.get(key);
  if (own) shown.current = own;
  const failed = failure?.key === key ? failure.failure : undefined;
  // The figures of another question stand in for these only while these are on their way.
  const known = own ?? (failed ? undefined : shown.current);
  return {
    ...(known && path !== undefined ? { data: known.data as T, at: known.at } : {}),
    isOther: !own && known !== undefined,
    ...(failed ? { failure: failed } : {}),
    isLoading: path !== undefined && settled !== attempt,
    retry,
  };
};
