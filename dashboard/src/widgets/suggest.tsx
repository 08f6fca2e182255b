// A text field that suggests what could stand in it: a combobox after the ARIA practices.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { isAbort } from '../api/failure';

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** Called when a suggestion is taken, or Enter is pressed on what was written. */
  onChoose?: (value: string) => void;
  /** What could be meant by `text`. */
  suggest: (text: string, signal: AbortSignal) => Promise<string[]>;
  placeholder?: string;
  required?: boolean;
  /** Whether the label is only for those who do not see the page. */
  hasHiddenLabel?: boolean;
}

/** How long somebody may pause within a word, in milliseconds. */
const PAUSE = 150;

/** A text field with suggestions, for keyboard, mouse and screen readers. */
export const Suggest = ({ label, value, onChange, onChoose, suggest, placeholder, required, hasHiddenLabel }: Props) => {
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const [found, setFound] = useState<string[]>([]);
  const [active, setActive] = useState(-1);
  const list = useRef<HTMLUListElement>(null);

  useEffect(() => {
    if (!isOpen) return;
    const controller = new AbortController();
    const timer = setTimeout(() => {
      suggest(value, controller.signal)
        .then((found) => {
          setFound(found);
          setActive(-1);
        })
        // Without suggestions the field is still one that can be written in.
        .catch((error: unknown) => isAbort(error) || setFound([]));
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [value, isOpen, suggest]);

  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: 'nearest' });
  }, [active]);

  const choose = (text: string) => {
    onChange(text);
    setOpen(false);
    onChoose?.(text);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      setOpen(true);
      const step = event.key === 'ArrowDown' ? 1 : -1;
      if (found.length > 0) setActive((active + step + found.length + (active < 0 && step < 0 ? 1 : 0)) % found.length);
    } else if (event.key === 'Enter') {
      const text = isOpen ? found[active] : undefined;
      if (text !== undefined || (onChoose && value)) {
        event.preventDefault();
        choose(text ?? value);
      }
    } else if (event.key === 'Escape' && isOpen && found.length > 0) {
      event.stopPropagation();
      setOpen(false);
    }
  };

  const isShown = isOpen && found.length > 0;
  return (
    <div class="suggest">
      <label for={id} class={hasHiddenLabel ? 'unseen' : ''}>
        {label}
      </label>
      <input
        id={id}
        type="text"
        role="combobox"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        dir="auto"
        aria-autocomplete="list"
        aria-expanded={isShown}
        aria-controls={isShown ? `${id}-list` : undefined}
        aria-activedescendant={isShown && active >= 0 ? `${id}-${active}` : undefined}
        value={value}
        placeholder={placeholder}
        required={required}
        onInput={(event) => {
          setOpen(true);
          onChange(event.currentTarget.value);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {isShown && (
        <ul id={`${id}-list`} role="listbox" aria-label={label} ref={list}>
          {found.map((text, index) => (
            <li
              key={text}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === active}
              dir="auto"
              // Before the field loses the focus.
              onMouseDown={(event) => {
                event.preventDefault();
                choose(text);
              }}
            >
              {text}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
};
