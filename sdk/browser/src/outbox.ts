import { attempt } from './attempt';
import { batch, body, type Event } from './event';
import { uuid } from './ids';
import { keep, type Store } from './storage';

/** Most events that wait; beyond it the oldest is given up. */
const MOST = 1e3;

/** The collector's answer, as far as it matters here. */
interface Answer {
  rejected?: { index: number; code: string }[];
}

/**
 * What waits to be sent, and its sending: an event stays until the collector has answered for it.
 *
 * An event that is sent again, by this page or the next, has the id that it had: the store counts it once.
 */
export const outbox = (url: URL | undefined, store: Store, prefix: string, size: number, wait: number, before: () => void) => {
  let queue: Event[] = [];
  let timer = 0;
  let failures = 0;
  // Until it is opened nothing is sent.
  let busy = 1;
  let beaconed = 1 / 0;
  const name = prefix + uuid();

  const save = () => keep(store, name, queue[0] ? JSON.stringify(queue) : '');

  const flush = async () => {
    clearTimeout(timer);
    timer = 0;
    if (busy || !queue[0]) return;
    busy = 1;
    failures++;
    // What happens in one go is sent in one go.
    await 0;
    before();
    const sent = batch(queue);
    let pause = 0;
    try {
      const response = await fetch(url!, { method: 'POST', body: body(sent) });
      const { ok, status } = response;
      pause = +response.headers.get('retry-after')!;
      const text = await response.text();
      if (/^5|429|408/.test(status as unknown as string)) throw 0;
      // A refusal is one whoever wrote it; a yes counts when it is the collector's, and not that of a network's sign-in page.
      const { rejected = [] }: Answer = ok ? JSON.parse(text) : {};
      let later = 0;
      for (const { index, code } of rejected) {
        if (code == 'not_queued') {
          delete sent[index];
          later = failures;
        }
      }
      failures = later;
      queue = queue.filter((event) => !sent.includes(event));
      if (!ok || rejected[0]) console.warn('analytics: refused', status, text);
    } catch {}
    busy = beaconed = 0;
    save();
    if (queue[0]) {
      timer = setTimeout(flush, failures && Math.min(pause || 2 ** failures / 2, 3600) * 1e3 * (1 + Math.random()));
    }
  };

  /** Takes what earlier pages could not send, and begins. */
  const open = () => {
    for (const key in store) {
      if (key.startsWith(prefix)) {
        attempt(() => queue.push(...JSON.parse(store[key]!).filter((event?: Event) => event?.id)));
        keep(store, key, '');
      }
    }
    busy = beaconed = 0;
    save();
    flush();
  };

  /** Takes an event. */
  const add = (event: Event) => {
    if (queue.push(event) > MOST) queue.shift();
    if (busy || failures) return;
    if (queue.length < size) timer ||= setTimeout(flush, wait);
    else flush();
  };

  /** Tries now, whatever failed before. */
  const retry = () => {
    failures = 0;
    flush();
  };

  /** The page may end: what waits is kept, and sent in a way that outlives the page and has no answer. */
  const leave = () => {
    before();
    save();
    while (beaconed < queue.length) {
      const sent = batch(queue.slice(beaconed));
      if (!navigator.sendBeacon(url!, body(sent))) break;
      beaconed += sent.length;
    }
  };

  return [open, add, retry, leave] as const;
};
