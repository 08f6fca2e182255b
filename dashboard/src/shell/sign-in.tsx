// Where a key becomes a session.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Failure } from '../api/failure';
import { signIn } from '../session';

const reason = (failure: Failure): string => {
  switch (failure.code) {
    case 'unknown_key':
      return 'The server does not know this key. Look whether it is whole; a key that was revoked does not work any more.';
    case 'forbidden_scope':
      return 'This key only sends events. Sign in with a key that may read: one of API_KEYS, or one made under Project.';
    case 'rate_limited':
      return `Too many tries. Wait ${failure.retryAfter ?? 60} seconds and try again.`;
    case 'away':
      return 'The server does not answer. Try again in a moment.';
    default:
      return failure.message;
  }
};

/** The form that takes a key; the key itself is not kept. */
export const KeyForm = ({ label = 'Sign in', onDone }: { label?: string; onDone?: () => void }) => {
  const [key, setKey] = useState('');
  const [trouble, setTrouble] = useState('');
  const [isBusy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <form
      class="key-form"
      onSubmit={(event) => {
        event.preventDefault();
        setBusy(true);
        setTrouble('');
        signIn(key.trim())
          .then(() => onDone?.())
          .catch((error: unknown) => {
            setTrouble(error instanceof Failure ? reason(error) : String(error));
            field.current?.focus();
          })
          .finally(() => setBusy(false));
      }}
    >
      <label>
        Key
        <input
          ref={field}
          type="password"
          name="key"
          required
          autocomplete="current-password"
          spellcheck={false}
          aria-invalid={trouble !== ''}
          aria-describedby={trouble ? 'key-trouble' : undefined}
          value={key}
          onInput={({ currentTarget }) => setKey(currentTarget.value)}
        />
      </label>
      {trouble && (
        <p class="trouble" role="alert" id="key-trouble">
          {trouble}
        </p>
      )}
      <button type="submit" class="primary" disabled={isBusy}>
        {label}
      </button>
    </form>
  );
};

/** The page of those who are not signed in. */
export const SignIn = ({ ended }: { ended: boolean }) => (
  <main class="sign-in">
    <h1>analytics</h1>
    {ended && (
      <p class="stale" role="status">
        The session has ended: it was closed, it grew too old, or its key was revoked. Sign in again, and you are back where you
        were.
      </p>
    )}
    <p>Sign in with a key of a project that may read. It opens a session of this browser, and is not kept here.</p>
    <KeyForm />
  </main>
);
