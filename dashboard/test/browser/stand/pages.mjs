// Every page of the dashboard, and what has to be on it once it is there.
import { ask } from './server.mjs';

/** Pages by name: the hash, and what shows that there is data. `of` gives a session and a person to look at. */
export const PAGES = [
  { name: 'overview', hash: '#/overview?range=30d&tz=UTC', shows: ['.plot canvas', '.ranking tbody tr'] },
  { name: 'explore', hash: '#/explore?range=30d&tz=UTC', shows: ['.plot canvas'] },
  { name: 'funnels', hash: '#/funnels?range=30d&tz=UTC', shows: ['.funnel tbody tr:nth-child(3)'] },
  { name: 'retention', hash: '#/retention?range=30d&tz=UTC', shows: ['.cohorts tbody tr:nth-child(3)', '.is-incomplete'] },
  { name: 'paths', hash: '#/paths?range=30d&tz=UTC', shows: ['.ways .band', '.ways a'] },
  { name: 'sessions', hash: '#/sessions?range=30d&tz=UTC', shows: ['.visits tbody tr:nth-child(50)', '.pages a'] },
  {
    name: 'session',
    hash: ({ session }) => `#/session/${encodeURIComponent(session)}?tz=UTC`,
    shows: ['.facts', '.timeline li'],
  },
  { name: 'person', hash: ({ person }) => `#/person/${encodeURIComponent(person)}?tz=UTC`, shows: ['.facts', '.timeline li'] },
  { name: 'live', hash: '#/live?tz=UTC', shows: ['.people-now', '.plot canvas', '.standing.is-live'] },
  { name: 'boards', hash: '#/boards?range=30d&tz=UTC', shows: ['main h2'] },
  {
    name: 'board',
    hash: ({ board }) => `#/boards/${board}?range=30d&tz=UTC`,
    shows: ['.headlines', '.funnel', '.cohorts', '.ways'],
  },
  { name: 'settings', hash: '#/settings?tz=UTC', shows: ['main table tbody tr'] },
];

/** The hash of a page. */
export const hashOf = ({ hash }, of) => (typeof hash === 'function' ? hash(of) : hash);

/** A session with a few events, somebody with a name, and a board. */
export const somebody = async (server) => {
  const tiles = [];
  for (const page of ['overview', 'funnels', 'retention', 'paths']) {
    const steps = ['view', 'signup'].map((action) => ({ name: action, filters: [['is', 'event_action', [action]]] }));
    const state = { hash: `#/${page}?${new URLSearchParams({ range: '30d', tz: 'UTC', funnel: JSON.stringify({ steps }) })}` };
    const { id } = await ask(server, 'shop', '/api/views', { name: `A view of ${page}`, page, state });
    tiles.push({ view: id, width: 1 });
  }
  const { id: board } = await ask(server, 'shop', '/api/boards', { name: 'All of it', tiles });
  const { results } = await ask(server, 'shop', '/api/sessions?range=30d&limit=200');
  const named = results.filter(({ user_id, events }) => user_id !== null && events > 2);
  return { session: named[0].session_id, person: named[0].user_id, board };
};
