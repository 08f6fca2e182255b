// What is set for the project.
import { useState } from 'preact/hooks';
import { refreshAll, useAnswer } from '../api/answer';
import { ask } from '../api/ask';
import { useChange } from '../api/change';
import type { Setting } from '../api/shapes';
import { useScope } from '../session';
import { Panel } from '../widgets/panel';
import { Refusal } from '../widgets/refusal';

const TITLES: Record<string, string> = {
  retention_days: 'Keep raw events for',
  timezone: 'Time zone of days',
  project_title: 'Title',
};

const HINTS: Record<string, string> = {
  retention_days: 'Older raw events are deleted, of all projects of this deployment; 0 keeps them for ever.',
  timezone: 'What this page shows first to whoever opens it without a link.',
};

const SOURCES = {
  environment: 'set in the environment of the server, and changed there',
  store: 'set here',
  default: 'not set: the default',
};

/** The panel of them. */
export const Settings = () => {
  const answer = useAnswer<{ settings: Setting[] }>('/api/settings');
  return (
    <Panel title="Settings" answer={answer} height={160}>
      {({ settings }) => (
        <ul class="settings">
          {settings.map((setting) => (
            <One key={`${setting.name}\n${setting.value}`} setting={setting} onChanged={refreshAll} />
          ))}
        </ul>
      )}
    </Panel>
  );
};

const One = ({ setting, onChanged }: { setting: Setting; onChanged: () => void }) => {
  const { name, value, source, editable, unit } = setting;
  const canEdit = useScope() === 'admin' && editable;
  const change = useChange();
  const before = value === null ? '' : String(value);
  const [text, setText] = useState(before);
  const isNumber = typeof value === 'number' || unit === 'days';
  const title = TITLES[name] ?? name.replace(/_/g, ' ');
  const set = (value: string | number | null) => {
    const isShorter =
      name === 'retention_days' && typeof value === 'number' && value > 0 && (Number(before) === 0 || value < Number(before));
    if (isShorter && !confirm(`Raw events older than ${value} days will be deleted for good. Go on?`)) return;
    void change
      .run(() => ask('/api/settings', { method: 'PATCH', body: { [name]: value } }))
      .then((isDone) => isDone && onChanged());
  };
  return (
    <li>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          set(isNumber ? Number(text) : text.trim());
        }}
      >
        <label class="grow">
          {title}
          {unit ? ` (${unit})` : ''}
          <input
            {...(isNumber ? { type: 'number' as const, min: 0 } : { type: 'text' as const })}
            dir="auto"
            required
            readOnly={!canEdit}
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
        {canEdit && (
          <button type="submit" disabled={change.isBusy || text === before || text.trim() === ''}>
            Set
          </button>
        )}
        {canEdit && source === 'store' && (
          <button type="button" class="plain" disabled={change.isBusy} onClick={() => set(null)}>
            Back to the default
          </button>
        )}
      </form>
      <p class="note">
        {SOURCES[source]}
        {HINTS[name] ? `. ${HINTS[name]}` : ''}
      </p>
      <Refusal failure={change.failure} />
    </li>
  );
};
