// Whether the server can do its work, as it says itself.
import { useEffect, useState } from 'preact/hooks';
import type { Answer } from '../api/answer';
import { beside } from '../api/ask';
import { Failure, isAbort } from '../api/failure';
import type { Health } from '../api/shapes';
import { duration } from '../format';
import { Panel } from '../widgets/panel';

/** How often it is asked, in milliseconds. */
const PAUSE = 10_000;

const WORDS = {
  healthy: 'It works.',
  degraded: 'It works, but something is not as it should be.',
  unhealthy: 'It cannot do its work now.',
};

/** What `/health` says: also a 503 of it is an answer. */
const useHealth = (): Answer<Health> => {
  const [known, setKnown] = useState<{ data?: Health; at?: number; failure?: Failure }>({});
  const [tries, setTries] = useState(0);
  const retry = () => setTries((tries) => tries + 1);
  useEffect(() => {
    const controller = new AbortController();
    const timer = setTimeout(retry, PAUSE);
    fetch(beside('/health'), { signal: controller.signal })
      .then(async (response) => {
        const data = (await response.json()) as Health;
        if (!WORDS[data.status]) throw new Failure(response.status, 'unexpected', `the server answered ${response.status}`);
        setKnown({ data, at: Date.now() });
      })
      .catch((error: unknown) => {
        if (isAbort(error)) return;
        const failure = error instanceof Failure ? error : new Failure(0, 'away', 'the server does not answer');
        setKnown((known) => ({ ...known, failure }));
      });
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [tries]);
  return { ...known, isOther: false, isLoading: !known.data && !known.failure, retry };
};

/** The panel of it. */
export const HealthPanel = () => {
  const answer = useHealth();
  return (
    <Panel title="Health" answer={answer} height={90} note="Of the server that shows this page, asked every ten seconds.">
      {({ status, version, uptime, checks }) => (
        <>
          <p class={status === 'healthy' ? 'good' : 'bad'} role="status">
            <strong>{status}</strong>: {WORDS[status]}
          </p>
          <dl class="facts">
            {Object.entries(checks).map(([name, told]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd class={told === 'ok' ? 'good' : 'bad'}>{String(told)}</dd>
              </div>
            ))}
            <div>
              <dt>version</dt>
              <dd>{version}</dd>
            </div>
            <div>
              <dt>running for</dt>
              <dd>{duration(uptime)}</dd>
            </div>
          </dl>
        </>
      )}
    </Panel>
  );
};
