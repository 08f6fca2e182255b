import { attempt } from './attempt';
import type { Event, Metadata } from './event';
import { uuid } from './ids';
import { outbox } from './outbox';
import { sessions } from './session';
import { storage } from './storage';

/** The settings: each is an attribute `data-NAME` of the script's tag too. */
export interface Settings {
  /** The project's write key; none where the collector wants none. */
  key?: string;
  /** Where the collector is, as `https://stats.example.com`. By default where the script came from, else the page's own. */
  host?: string;
  /** The collector's path, by default `/collect`. */
  path?: string;
  /** Who the user is, where the page knows it from the start. */
  user?: string;
  /** Where the session is kept: `session` (a tab, by default), `local` (all tabs of a browser) or `memory` (a page). */
  session?: 'session' | 'local' | 'memory';
  /** Where events wait that could not be sent: `session` (by default), `local` (outlives the tab) or `memory`. */
  queue?: 'session' | 'local' | 'memory';
  /** From how many events on they are sent at once, by default 20. */
  batch?: number | string;
  /** How long fewer of them wait for more, in milliseconds, by default 1000. */
  wait?: number | string;
  /** `off`: page views are sent by `page()` only. */
  auto?: 'on' | 'off';
  /** `off`: clicks on links to other hosts are no events. */
  outbound?: 'on' | 'off';
  /** `on`: the part of the address behind `#` belongs to the path. */
  hash?: 'on' | 'off';
  /** `ignore`: Do Not Track and Global Privacy Control are not asked for. */
  privacy?: 'honour' | 'ignore';
}

/** A call as data: `['track', 'commerce', 'order_paid', { price: 9 }]`. */
export type Call =
  | ['track', string, string, Metadata?]
  | ['identify', (string | number | null)?]
  | ['page', string?];

/** What a page can tell. Nothing of it ever throws. */
export interface Analytics {
  /** Something happened. */
  track(type: string, action: string, metadata?: Metadata): void;
  /** Events from now on are this user's; with null nobody's, in a new session where a user was named before. */
  identify(id?: string | number | null): void;
  /** A page is looked at: this address, or the path that is given. */
  page(path?: string): void;
  /** Makes a call that is written as data. */
  push(call: Call): void;
}

declare global {
  interface Navigator {
    globalPrivacyControl?: boolean;
  }
  interface Document {
    prerendering?: boolean;
  }
}

/** Addresses and titles may be of any length. */
const cut = (text: string) => text.slice(0, 1e3);

/** Begins to follow the page; `calls` were made before. */
export const start = (settings: Settings = {}, calls?: Call[]): Analytics => {
  const { key = '', path = '/collect', host, auto } = settings;
  const prefix = `analytics.${key}.`;
  const session = sessions(storage(settings.session || 'session'), prefix + 'session');
  const url = attempt(() => new URL(path + '?key=' + key, host || location.href));
  // Who does not want to be followed is not: nothing is sent and nothing is kept.
  const idle = settings.privacy != 'ignore' && (navigator.globalPrivacyControl || +navigator.doNotTrack! > 0);

  let user: string | 0 | null | undefined = settings.user;
  let here = '';
  let referrer: string | 0 = document.referrer;
  let view: Event | 0;

  const safely =
    <A extends unknown[]>(work: (...given: A) => unknown) =>
    (...given: A): void => {
      try {
        if (url && !idle) work(...given);
      } catch (error) {
        console.warn('analytics:', error);
      }
    };

  const where = () => cut(location.pathname + (settings.hash == 'on' ? location.hash : ''));

  // An application sets the title after it has moved on, so it is read when the view is sent.
  const title = () => {
    if (view) view.metadata.title = cut(document.title);
    view = 0;
  };

  const [open, add, retry, leave] = outbox(
    url,
    storage(settings.queue || 'session'),
    prefix + 'queue.',
    +settings.batch! || 20,
    +settings.wait! || 1e3,
    title,
  );

  const track = (type: string, action: string, metadata?: Metadata) => {
    const event: Event = {
      id: uuid(),
      session_id: session(user),
      user_id: user || undefined,
      event_type: type,
      event_action: action,
      // A copy: the page may go on to change what it gave.
      metadata: { host: location.host, path: where(), ...JSON.parse(JSON.stringify(metadata || {})) },
      timestamp: Date.now(),
    };
    add(event);
    return event;
  };

  const page = (path?: string) => {
    title();
    here = where();
    const metadata: Metadata = { path };
    // For the first view only: another site, or an empty text where there was none. Where the others come from is this one.
    if (referrer !== 0 && referrer.split('/')[2] != location.host) metadata.referrer = cut(referrer);
    referrer = 0;
    new URLSearchParams(location.search).forEach((value, name) => {
      if (name.startsWith('utm_')) metadata[name] = cut(value);
    });
    view = track('page', 'view', metadata);
  };

  const moved = safely(() => {
    if (here != where()) page();
  });

  const analytics: Analytics = {
    track: safely(track),
    page: safely(page),
    identify: safely((id) => {
      user = id && (`${id}` as string);
      if (!user) session(user, true);
    }),
    push: safely(([name, ...given]) => (analytics[name] as (...given: unknown[]) => void)(...given)),
  };

  const begin = () => {
    open();
    calls?.forEach?.(analytics.push);
    if (auto != 'off') page();
  };

  if (!url) console.warn(`analytics: host "${host}", no https://`);

  safely(() => {
    // Who captures at the window hears what is told to the document too.
    const listen = (name: string, work: (event: any) => void) => addEventListener(name, safely(work), true);
    const clicked = ({ target, button }: MouseEvent) => {
      const link = (target as Element).closest?.('a');
      if (button < 2 && link?.host && link.host != location.host) {
        track('link', 'outbound', { url: cut(link.href.split(/[?#]/)[0]!) });
      }
    };

    listen('online', retry);
    listen('pagehide', leave);
    listen('visibilitychange', () => document.hidden && leave());
    if (settings.outbound != 'off') {
      listen('click', clicked);
      listen('auxclick', clicked);
    }
    if (auto != 'off') {
      listen('popstate', moved);
      listen('pageshow', ({ persisted }: PageTransitionEvent) => persisted && page());
      for (const name of ['pushState', 'replaceState'] as const) {
        const original = history[name];
        history[name] = function (...given) {
          original.apply(this, given);
          moved();
        };
      }
    }
    if (document.prerendering) listen('prerenderingchange', begin);
    else begin();
  })();

  return analytics;
};
