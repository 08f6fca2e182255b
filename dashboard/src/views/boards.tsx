// Boards: several saved views beside each other.
import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type Answer, refreshAll, useAnswer } from '../api/answer';
import { ask } from '../api/ask';
import { useChange } from '../api/change';
import type { Board, SavedView } from '../api/shapes';
import { useSelection } from '../question';
import { change as changePlace, elsewhere, format, go, href, type Place, PlaceContext, usePlace } from '../route';
import { placeOf } from '../saved';
import { useScope } from '../session';
import { VIEWS } from '.';
import { Panel } from '../widgets/panel';
import { Refusal } from '../widgets/refusal';
import '../style/boards.css';

const MOST_TILES = 24;
/** How often everything on a board is asked again, in milliseconds. */
const REFRESH = 60_000;

/** The list of boards, or the one that the URL names. */
export default () => {
  const [id] = usePlace().rest;
  return id ? <OneBoard key={id} id={id} /> : <Boards />;
};

const Boards = () => {
  const answer = useAnswer<{ boards: Board[] }>('/api/boards');
  const change = useChange();
  const isAdmin = useScope() === 'admin';
  const [name, setName] = useState('');
  return (
    <Panel
      title="Boards"
      answer={answer}
      height={200}
      note="A board shows saved views beside each other. Save a view first, then put it on a board."
    >
      {({ boards }) => (
        <div class="stack">
          {boards.length === 0 && <p class="empty">There is no board yet.</p>}
          <ul class="board-list">
            {boards.map(({ id, name, tiles }) => (
              <li key={id}>
                <a href={href('boards', [id])}>
                  <bdi>{name}</bdi>
                </a>{' '}
                <span class="note">{tiles.length === 1 ? '1 view' : `${tiles.length} views`}</span>
              </li>
            ))}
          </ul>
          {isAdmin ? (
            <form
              class="row"
              onSubmit={(event) => {
                event.preventDefault();
                const body = { name: name.trim(), tiles: [] };
                void change.run(async () => {
                  const board = await ask<Board>('/api/boards', { body });
                  go(elsewhere('boards', [board.id]));
                });
              }}
            >
              <label>
                Name of a new board
                <input
                  type="text"
                  required
                  maxLength={100}
                  value={name}
                  onInput={({ currentTarget }) => setName(currentTarget.value)}
                />
              </label>
              <button type="submit" class="primary" disabled={change.isBusy || name.trim() === ''}>
                Make
              </button>
            </form>
          ) : (
            <p class="note">A key with the scope admin is needed to make one.</p>
          )}
          <Refusal failure={change.failure} />
        </div>
      )}
    </Panel>
  );
};

const OneBoard = ({ id }: { id: string }) => {
  const boards = useAnswer<{ boards: Board[] }>('/api/boards');
  const views = useAnswer<{ views: SavedView[] }>('/api/views');
  const [isEditing, setEditing] = useState(false);
  const isAdmin = useScope() === 'admin';
  const isShared = usePlace().params.get('all') === '1';
  const board = boards.data?.boards.find((board) => board.id === id);
  useEffect(() => {
    // A board hangs on a wall.
    const timer = setInterval(() => document.visibilityState === 'visible' && !isEditing && refreshAll(), REFRESH);
    return () => clearInterval(timer);
  }, [isEditing]);
  if (!board || !views.data) {
    const waiting: Answer<unknown> = board ? views : boards;
    return (
      <Panel title="Board" answer={waiting} height={300}>
        {() => (
          <p class="empty">
            There is no such board here. <a href={href('boards')}>See all boards</a>.
          </p>
        )}
      </Panel>
    );
  }
  const known = new Map(views.data.views.map((view) => [view.id, view]));
  return (
    <div class="stack">
      <header class="row">
        <h2 class="board-name">
          <bdi>{board.name}</bdi>
        </h2>
        <label class="check">
          <input
            type="checkbox"
            checked={isShared}
            onChange={({ currentTarget }) => changePlace({ all: currentTarget.checked ? '1' : null })}
          />
          All with the range above
        </label>
        {isAdmin && (
          <button type="button" aria-pressed={isEditing} onClick={() => setEditing(!isEditing)}>
            {isEditing ? 'Done' : 'Edit'}
          </button>
        )}
      </header>
      {isEditing && <Editor board={board} views={views.data.views} onChanged={boards.retry} />}
      {board.tiles.length === 0 && (
        <p class="empty">Nothing is on this board yet{isAdmin ? ': put saved views on it with Edit' : ''}.</p>
      )}
      <div class="board">
        {board.tiles.map(({ view, width }, index) => {
          const saved = known.get(view);
          return saved && <Tile key={`${view}\n${index}`} saved={saved} width={width} isShared={isShared} />;
        })}
      </div>
    </div>
  );
};

interface EditorProps {
  board: Board;
  views: SavedView[];
  onChanged: () => void;
}

const Editor = ({ board, views, onChanged }: EditorProps) => {
  const change = useChange();
  const [name, setName] = useState(board.name);
  const [chosen, setChosen] = useState('');
  const [{ tiles, name: named }, setPut] = useState<Pick<Board, 'name' | 'tiles'>>(board);
  const put = (changed: Partial<Board>) => {
    const body = { name: named, tiles, ...changed };
    void change.run(async () => {
      await ask(`/api/boards/${board.id}`, { method: 'PUT', body });
      setPut(body);
      onChanged();
    });
  };
  const swap = (index: number, by: number) => {
    const moved = [...tiles];
    [moved[index], moved[index + by]] = [moved[index + by]!, moved[index]!];
    put({ tiles: moved });
  };
  const nameOf = (view: string) => views.find(({ id }) => id === view)?.name ?? 'a view that is gone';
  return (
    <section class="panel stack" aria-label="Edit the board">
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          put({ name: name.trim() });
        }}
      >
        <label>
          Name
          <input
            type="text"
            required
            maxLength={100}
            value={name}
            onInput={({ currentTarget }) => setName(currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={change.isBusy || name.trim() === '' || name === named}>
          Rename
        </button>
        <button
          type="button"
          class="danger"
          disabled={change.isBusy}
          onClick={() => {
            if (!confirm(`Remove the board “${board.name}”? The saved views stay.`)) return;
            void change.run(async () => {
              await ask(`/api/boards/${board.id}`, { method: 'DELETE' });
              go(elsewhere('boards'));
            });
          }}
        >
          Remove board
        </button>
      </form>
      <ol class="tiles">
        {tiles.map(({ view, width }, index) => (
          <li key={`${view}\n${index}`} class="row">
            <bdi class="grow">{nameOf(view)}</bdi>
            <button
              type="button"
              aria-label={`Move ${nameOf(view)} up`}
              disabled={change.isBusy || index === 0}
              onClick={() => swap(index, -1)}
            >
              ↑
            </button>
            <button
              type="button"
              aria-label={`Move ${nameOf(view)} down`}
              disabled={change.isBusy || index === tiles.length - 1}
              onClick={() => swap(index, 1)}
            >
              ↓
            </button>
            <button
              type="button"
              aria-label={`Make ${nameOf(view)} ${width === 1 ? 'wide' : 'narrow'}`}
              disabled={change.isBusy}
              onClick={() =>
                put({ tiles: tiles.map((tile, at) => (at === index ? { view, width: width === 1 ? 2 : 1 } : tile)) })
              }
            >
              {width === 1 ? 'Wide' : 'Narrow'}
            </button>
            <button
              type="button"
              aria-label={`Take ${nameOf(view)} off the board`}
              disabled={change.isBusy}
              onClick={() => put({ tiles: tiles.filter((_, at) => at !== index) })}
            >
              ×
            </button>
          </li>
        ))}
      </ol>
      {tiles.length < MOST_TILES && views.length > 0 && (
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            if (chosen) put({ tiles: [...tiles, { view: chosen, width: 1 }] });
          }}
        >
          <label>
            A saved view
            <select value={chosen} onChange={({ currentTarget }) => setChosen(currentTarget.value)}>
              <option value="">Choose one</option>
              {views.map(({ id, name, page }) => (
                <option key={id} value={id}>
                  {name} ({page})
                </option>
              ))}
            </select>
          </label>
          <button type="submit" class="primary" disabled={change.isBusy || chosen === ''}>
            Put on the board
          </button>
        </form>
      )}
      {views.length === 0 && <p class="note">Nothing is saved yet: open a view and save it under a name first.</p>}
      <Refusal failure={change.failure} />
    </section>
  );
};

/** A module of a view, which may have a form for boards. */
interface Module {
  Tile?: FunctionComponent;
}

interface TileProps {
  saved: SavedView;
  width: 1 | 2;
  /** Whether the board's range is asked, and not the view's own. */
  isShared: boolean;
}

const Tile = ({ saved, width, isShared }: TileProps) => {
  const { range, tz } = useSelection();
  const [module, setModule] = useState<Module>();
  const place = placeOf(saved);
  const view = VIEWS.find(({ name }) => name === place.view);
  useEffect(() => {
    view?.load().then(
      (module) => setModule(module as Module),
      () => setModule({}),
    );
  }, [view]);
  const shown: Place = { ...place, params: new URLSearchParams(place.params) };
  if (isShared) shown.params.set('range', range);
  if (isShared || !shown.params.has('tz')) shown.params.set('tz', tz);
  return (
    <section class={`tile${width === 2 ? ' is-wide' : ''}`} aria-label={saved.name}>
      <h3>
        <a href={format(shown)}>
          <bdi>{saved.name}</bdi>
        </a>
      </h3>
      {module?.Tile ? (
        <PlaceContext.Provider value={shown}>
          <module.Tile />
        </PlaceContext.Provider>
      ) : (
        module && <p class="empty">{view ? `${view.title}: open it by its name.` : `This page has no view “${place.view}”.`}</p>
      )}
    </section>
  );
};
