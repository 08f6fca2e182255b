// The keys of the project.
import { useState } from 'preact/hooks';
import { useAnswer } from '../api/answer';
import { ask } from '../api/ask';
import { useChange } from '../api/change';
import type { Key } from '../api/shapes';
import { time } from '../format';
import { useSelection } from '../question';
import { useScope } from '../session';
import { Panel } from '../widgets/panel';
import { Refusal } from '../widgets/refusal';
import { scriptTag } from './script-tag';

/** The scopes that a key can be made with. */
const SCOPES: [Key['scope'], string][] = [
  ['read', 'read: asks questions'],
  ['admin', 'admin: also changes, erases and replays'],
  ['write', 'write: sends events from web pages, asks nothing'],
];

/** The panel of them. */
export const Keys = () => {
  const isAdmin = useScope() === 'admin';
  const { tz } = useSelection();
  const answer = useAnswer<{ keys: Key[] }>(isAdmin ? '/api/keys' : undefined);
  const change = useChange();
  const [made, setMade] = useState<Key>();
  if (!isAdmin) {
    return (
      <section class="panel" aria-label="Keys">
        <h2>Keys</h2>
        <p class="empty">A key with the scope admin is needed to see and make keys.</p>
      </section>
    );
  }
  const revoke = ({ id, name, hint }: Key) => {
    if (!confirm(`Revoke the key “${name}” (${hint})? Whoever uses it is refused within ten seconds.`)) return;
    void change.run(() => ask(`/api/keys/${encodeURIComponent(id)}`, { method: 'DELETE' })).then(answer.retry);
  };
  return (
    <Panel title="Keys" answer={answer} height={180} note="What may ask and change in this project, and what may send to it.">
      {({ keys }) => (
        <div class="stack">
          {made?.key && <Made made={made} onDone={() => setMade(undefined)} />}
          {keys.length === 0 ? (
            <p class="empty">
              There are no keys: this server answers its own machine only. Set <code>API_KEYS</code> before others are to reach
              it.
            </p>
          ) : (
            <div class="scroll" tabIndex={0} role="region" aria-label="Keys as a table">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">May</th>
                    <th scope="col">Begins with</th>
                    <th scope="col">Made</th>
                    <th scope="col">
                      <span class="unseen">Revoke</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {keys.map((key) => (
                    <tr key={key.id}>
                      <th scope="row">
                        <bdi>{key.name}</bdi>
                      </th>
                      <td>{key.scope}</td>
                      <td>
                        <code>{key.hint}</code>
                      </td>
                      <td>{key.created_at ? time(key.created_at, tz) : 'in the environment'}</td>
                      <td>
                        {key.revocable ? (
                          <button
                            type="button"
                            class="danger"
                            aria-label={`Revoke ${key.name}`}
                            disabled={change.isBusy}
                            onClick={() => revoke(key)}
                          >
                            Revoke
                          </button>
                        ) : (
                          <span class="note">removed where it is set</span>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          <Refusal failure={change.failure} />
          <Make
            onMade={(key) => {
              setMade(key);
              answer.retry();
            }}
          />
        </div>
      )}
    </Panel>
  );
};

/** Takes a text along. */
const CopyButton = ({ text, title }: { text: string; title: string }) => {
  const [isCopied, setCopied] = useState(false);
  return (
    <button type="button" onClick={() => void navigator.clipboard?.writeText(text).then(() => setCopied(true))}>
      {isCopied ? 'Copied' : title}
    </button>
  );
};

/** A new key, shown this once; of one that sends the tag to paste, too. */
const Made = ({ made, onDone }: { made: Key; onDone: () => void }) => {
  const key = made.key ?? '';
  const tag = made.scope === 'write' ? scriptTag(key, document.baseURI) : undefined;
  return (
    <div class="stale stack" role="status">
      <p>
        The key “<bdi>{made.name}</bdi>”. It is shown only now;{' '}
        {tag ? 'it works within ten seconds.' : 'keep it where secrets are kept.'}
      </p>
      <p>
        <code class="secret">{key}</code>
      </p>
      {tag && (
        <>
          <p>
            Paste this into the head of every page of your site. Where collectors have another address than this page, add{' '}
            <code>data-host</code> with it.
          </p>
          <p>
            <code class="secret">{tag}</code>
          </p>
        </>
      )}
      <p class="row">
        <CopyButton text={key} title={tag ? 'Copy key' : 'Copy'} />
        {tag && <CopyButton text={tag} title="Copy tag" />}
        <button type="button" onClick={onDone}>
          I have kept it
        </button>
      </p>
    </div>
  );
};

const Make = ({ onMade }: { onMade: (key: Key) => void }) => {
  const change = useChange();
  const [name, setName] = useState('');
  const [scope, setScope] = useState<Key['scope']>('read');
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        void change.run(async () => {
          onMade(await ask<Key>('/api/keys', { body: { name: name.trim(), scope } }));
          setName('');
        });
      }}
    >
      <label class="grow">
        Name of a new key
        <input type="text" required maxLength={100} value={name} onInput={({ currentTarget }) => setName(currentTarget.value)} />
      </label>
      <label>
        May
        <select value={scope} onChange={({ currentTarget }) => setScope(currentTarget.value as Key['scope'])}>
          {SCOPES.map(([scope, title]) => (
            <option key={scope} value={scope}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" class="primary" disabled={change.isBusy || name.trim() === ''}>
        Make key
      </button>
      <Refusal failure={change.failure} />
    </form>
  );
};
