// The views that somebody has saved, and a name for this one.
import { useState } from 'preact/hooks';
import { useAnswer } from '../api/answer';
import { ask } from '../api/ask';
import { useChange } from '../api/change';
import type { SavedView } from '../api/shapes';
import { format, go, usePlace } from '../route';
import { bodyOf, placeOf } from '../saved';
import { useScope } from '../session';
import { Popover } from '../widgets/popover';
import { Trouble } from '../widgets/panel';
import { Refusal } from '../widgets/refusal';

/** The button with the saved views of the project. */
export const SavedViews = () => (
  <Popover label="Saved views" name="Saved views">
    {(close) => <List onDone={close} />}
  </Popover>
);

const List = ({ onDone }: { onDone: () => void }) => {
  const answer = useAnswer<{ views: SavedView[] }>('/api/views');
  const change = useChange();
  const isAdmin = useScope() === 'admin';
  const place = usePlace();
  const views = answer.data?.views;
  const remove = ({ id, name }: SavedView) => {
    if (!confirm(`Remove the saved view “${name}”? Boards that show it lose a tile.`)) return;
    void change.run(() => ask(`/api/views/${id}`, { method: 'DELETE' })).then(answer.retry);
  };
  const replace = (view: SavedView) =>
    void change.run(() => ask(`/api/views/${view.id}`, { method: 'PUT', body: bodyOf(view.name, place) })).then(answer.retry);
  return (
    <>
      {answer.failure && !views && <Trouble failure={answer.failure} retry={answer.retry} />}
      {!answer.failure && !views && <p class="note">Loading</p>}
      {views?.length === 0 && <p class="empty">Nothing is saved yet. Save what is shown now under a name.</p>}
      {views && views.length > 0 && (
        <ul class="saved scroll">
          {views.map((view) => (
            <li key={view.id} class="row">
              <a
                href={format(placeOf(view))}
                onClick={(event) => {
                  event.preventDefault();
                  go(placeOf(view));
                  onDone();
                }}
              >
                <bdi>{view.name}</bdi>
              </a>
              <span class="note">{view.page}</span>
              {isAdmin && (
                <span class="saved-end">
                  {view.page === place.view && (
                    <button
                      type="button"
                      class="plain"
                      aria-label={`Replace ${view.name} by what is shown now`}
                      onClick={() => replace(view)}
                    >
                      Replace
                    </button>
                  )}
                  <button type="button" class="plain" aria-label={`Remove ${view.name}`} onClick={() => remove(view)}>
                    ×
                  </button>
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      <Refusal failure={change.failure} />
      {isAdmin ? (
        <Save
          isBusy={change.isBusy}
          onSave={(name) =>
            change.run(() => ask('/api/views', { body: bodyOf(name, place) })).then((isDone) => (answer.retry(), isDone))
          }
        />
      ) : (
        <p class="note">A key with the scope admin is needed to save one.</p>
      )}
    </>
  );
};

const Save = ({ isBusy, onSave }: { isBusy: boolean; onSave: (name: string) => Promise<boolean> }) => {
  const [name, setName] = useState('');
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        void onSave(name.trim()).then((isDone) => isDone && setName(''));
      }}
    >
      <label class="grow">
        Save this view as
        <input type="text" required maxLength={100} value={name} onInput={({ currentTarget }) => setName(currentTarget.value)} />
      </label>
      <button type="submit" class="primary" disabled={isBusy || name.trim() === ''}>
        Save
      </button>
    </form>
  );
};
