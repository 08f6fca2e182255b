// Going from page to page of an answer that has a cursor.
import { useEffect } from 'preact/hooks';
import type { Answer } from '../api/answer';
import { changed, format, usePlace } from '../route';
import { change } from '../route';

/** The cursor in the address; an answer that refuses it takes it away, as when the range has been changed since. */
export const useCursor = (): string | undefined => usePlace().params.get('cursor') || undefined;

/** Takes a cursor away that belongs to another question. */
export const useCursorOf = (answer: Answer<unknown>) => {
  const isRefused = answer.failure?.code === 'invalid_cursor';
  useEffect(() => {
    if (isRefused) change({ cursor: null }, { replace: true });
  }, [isRefused]);
};

interface Props {
  next: string | null;
  /** What the next page has, as `Older sessions`. */
  label: string;
}

/** Links to the first page and to the next one. */
export const Pages = ({ next, label }: Props) => {
  const place = usePlace();
  const hasCursor = place.params.has('cursor');
  if (!hasCursor && next === null) return null;
  return (
    <nav class="row pages" aria-label="Pages">
      {hasCursor && (
        <a class="button" href={format(changed({ cursor: null }, place))}>
          First page
        </a>
      )}
      {next !== null && (
        <a class="button" href={format(changed({ cursor: next }, place))}>
          {label}
        </a>
      )}
    </nav>
  );
};
