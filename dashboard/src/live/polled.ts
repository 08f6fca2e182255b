// An answer that is asked again every few seconds, while somebody looks.
import { useCallback, useEffect, useState } from 'preact/hooks';
import type { Answer } from '../api/answer';
import { ask } from '../api/ask';
import { Failure, isAbort } from '../api/failure';

/**
 * The answer to `path`, with the body that `bodyAt` gives for the time, asked again every `pause` seconds and at once when
 * `about` has changed. Nothing is asked while the page is hidden.
 */
export const usePolled = <T>(path: string, pause: number, about: unknown, bodyAt: (now: number) => unknown): Answer<T> => {
  const key = JSON.stringify(about);
  const [kept, setKept] = useState<{ key: string; data: T; at: number }>();
  const [failure, setFailure] = useState<Failure>();
  const [isLoading, setLoading] = useState(true);
  const [tries, setTries] = useState(0);
  const retry = useCallback(() => setTries((count) => count + 1), []);
  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = () => {
      if (controller.signal.aborted) return;
      clearTimeout(timer);
      if (document.hidden) return;
      timer = setTimeout(once, pause * 1000);
    };
    const once = () => {
      setLoading(true);
      ask<T>(path, { body: bodyAt(Date.now()), signal: controller.signal })
        .then((data) => {
          setKept({ key, data, at: Date.now() });
          setFailure(undefined);
        })
        .catch((error: unknown) => {
          if (controller.signal.aborted || isAbort(error)) return;
          setFailure(error instanceof Failure ? error : new Failure(0, 'defect', String(error)));
        })
        .finally(() => {
          if (!controller.signal.aborted) setLoading(false);
          again();
        });
    };
    const looked = () => {
      clearTimeout(timer);
      if (!document.hidden) once();
    };
    once();
    document.addEventListener('visibilitychange', looked);
    addEventListener('analytics:refresh', looked);
    return () => {
      controller.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', looked);
      removeEventListener('analytics:refresh', looked);
    };
  }, [key, path, pause, tries]);
  const isOther = kept !== undefined && kept.key !== key;
  return {
    ...(kept && !(isOther && failure) ? { data: kept.data, at: kept.at } : {}),
    isOther,
    ...(failure ? { failure } : {}),
    isLoading: isLoading && kept === undefined,
    retry,
  };
};
