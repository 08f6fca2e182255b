// Who asks: the session of the page and its projects.
import { useEffect, useState } from 'preact/hooks';
import { forget } from './api/answer';
import { ask, chooseProject, whenRefused } from './api/ask';
import { Failure } from './api/failure';
import type { Session } from './api/shapes';
import { change, here } from './route';

/** What is known of the session. */
export type Standing =
  | { is: 'unknown' }
  | { is: 'away'; failure: Failure }
  /** Nobody is signed in; `ended` where somebody was a moment ago. */
  | { is: 'out'; ended: boolean }
  | { is: 'in'; session: Session };

/** A server without keys, or one that is older than the page, has one project. */
const OPEN: Session = { open: true, projects: [{ project: 'default', scope: 'admin' }] };

let standing: Standing = { is: 'unknown' };
const told = new Set<() => void>();

const set = (next: Standing) => {
  standing = next;
  if (next.is === 'in') follow(next.session);
  for (const tell of told) tell();
};

/** Has every request be about the project that the URL names, or the session's first. */
const follow = (session: Session) => {
  const named = here().params.get('project');
  const known = session.projects.find(({ project }) => project === named) ?? session.projects[0];
  chooseProject(session.open ? undefined : known?.project);
  if (!session.open && known && named !== known.project) change({ project: known.project }, { replace: true });
};

let loading: Promise<void> | undefined;

/** Asks who is signed in, once however often it is called meanwhile. */
export const load = (): Promise<void> => (loading ??= look().finally(() => (loading = undefined)));

const look = async () => {
  try {
    const session = await ask<Session>('/api/session');
    set(session.projects.length > 0 ? { is: 'in', session } : { is: 'out', ended: standing.is === 'in' });
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure(0, 'defect', String(error));
    if (failure.status === 404) set({ is: 'in', session: OPEN });
    // So a server says it that is older than the page.
    else if (failure.status === 401) set({ is: 'out', ended: standing.is === 'in' });
    // Who was signed in still sees the last figures.
    else if (standing.is !== 'in') set({ is: 'away', failure });
  }
};
whenRefused(() => void load());

/** Signs in with a key, or adds the key's project. */
export const signIn = async (key: string) => {
  const before = standing.is === 'in' ? standing.session.projects.map(({ project }) => project) : [];
  const session = await ask<Session>('/api/session', { body: { key } });
  forget();
  const added = session.projects.find(({ project }) => !before.includes(project));
  if (before.length > 0 && added) change({ project: added.project });
  set({ is: 'in', session });
};

/** Ends the session. */
export const signOut = async () => {
  await ask('/api/session', { method: 'DELETE' });
  forget();
  set({ is: 'out', ended: false });
};

/** Has the page follow a change of the project in the URL. */
export const chosen = () => {
  if (standing.is === 'in') follow(standing.session);
};

/** What is known of the session. */
export const useStanding = (): Standing => {
  const [, setCount] = useState(0);
  useEffect(() => {
    const tell = () => setCount((count) => count + 1);
    told.add(tell);
    return () => void told.delete(tell);
  }, []);
  return standing;
};

/** What may be done in the chosen project. */
export const useScope = (): 'read' | 'admin' => {
  const known = useStanding();
  if (known.is !== 'in') return 'read';
  const named = here().params.get('project');
  const { projects } = known.session;
  return (projects.find(({ project }) => project === named) ?? projects[0])?.scope ?? 'read';
};
