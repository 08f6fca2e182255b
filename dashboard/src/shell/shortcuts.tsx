// What keys do. Single letters can be switched off, for those whose voice or hand types them unmeant.
import { useEffect, useState } from 'preact/hooks';
import { refreshAll } from '../api/answer';
import { elsewhere, go } from '../route';
import { VIEWS } from '../views';
import { Dialog } from '../widgets/dialog';
import { turn } from './theme';

/** Opens the choice of dates. */
export const OPEN_DATES = 'analytics:dates';
/** Opens the form of a new filter. */
export const OPEN_FILTER = 'analytics:filter';

const NAME = 'analytics.shortcuts';

const areOn = () => {
  try {
    return localStorage.getItem(NAME) !== 'off';
  } catch {
    return true;
  }
};

const setOn = (isOn: boolean) => {
  try {
    if (isOn) localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, 'off');
  } catch {
    // Without storage they stay as they are.
  }
};

const isWriting = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName));

/** How long `g` waits for its letter, in milliseconds. */
const PATIENCE = 1500;

/** Listens to the keys; gives the page of help while it is wanted. */
export const Shortcuts = () => {
  const [isHelping, setHelping] = useState(false);
  const [on, setOnShown] = useState(areOn);
  useEffect(() => {
    let pressed = -PATIENCE;
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target) || document.querySelector('dialog[open]'))
        return;
      if (event.key === '?') return setHelping(true);
      if (!areOn()) return;
      const view = event.timeStamp - pressed < PATIENCE ? VIEWS.find(({ key }) => key === event.key) : undefined;
      pressed = event.key === 'g' ? event.timeStamp : -PATIENCE;
      if (view) go(elsewhere(view.name));
      else if (event.key === 'd') dispatchEvent(new Event(OPEN_DATES));
      else if (event.key === 'f') dispatchEvent(new Event(OPEN_FILTER));
      else if (event.key === 'r') refreshAll();
      else if (event.key === 't') turn();
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', listen);
    addEventListener('analytics:help', () => setHelping(true));
    return () => removeEventListener('keydown', listen);
  }, []);
  if (!isHelping) return null;
  const rows = [
    ...VIEWS.filter(({ key }) => key).map(({ key, title }) => [`g ${key}`, title]),
    ['d', 'Choose dates'],
    ['f', 'Add a filter'],
    ['r', 'Ask everything again'],
    ['t', 'Light, dark, or as the system'],
    ['?', 'This page'],
  ];
  return (
    <Dialog title="Keys" onClose={() => setHelping(false)}>
      <dl class="keys">
        {rows.map(([keys = '', what]) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={on}
          onChange={({ currentTarget }) => {
            setOn(currentTarget.checked);
            setOnShown(currentTarget.checked);
          }}
        />
        Single letters do something
      </label>
    </Dialog>
  );
};
