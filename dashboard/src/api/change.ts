// A change that somebody asks for, and how it went.
import { useState } from 'preact/hooks';
import { Failure, isAbort } from './failure';

/** A change under way. */
export interface Change {
  isBusy: boolean;
  failure?: Failure;
  /** Does it; gives whether it went well. */
  run: (work: () => Promise<unknown>) => Promise<boolean>;
  /** Forgets what went wrong. */
  clear: () => void;
}

/** Does one change at a time, and keeps what went wrong with the last. */
export const useChange = (): Change => {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const run = async (work: () => Promise<unknown>) => {
    if (isBusy) return false;
    setBusy(true);
    setFailure(undefined);
    try {
      await work();
      return true;
    } catch (error) {
      if (!isAbort(error)) setFailure(error instanceof Failure ? error : new Failure(0, 'defect', String(error)));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { isBusy, ...(failure ? { failure } : {}), run, clear: () => setFailure(undefined) };
};
