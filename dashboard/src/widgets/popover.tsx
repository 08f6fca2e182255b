// A button with a panel that opens below it.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';

interface Props {
  /** What stands on the button. */
  label: ComponentChildren;
  /** What the panel is called. */
  name: string;
  /** Gets what closes the panel. */
  children: (close: () => void) => ComponentChildren;
  class?: string;
  /** The name of the event that opens it from elsewhere, as for a shortcut. */
  opensOn?: string;
}

/** Moves a panel that would stand out of the window back into it. */
const fit = (panel: HTMLElement | null) => {
  if (!panel) return;
  const { left, right } = panel.getBoundingClientRect();
  const beyond = Math.max(right - document.documentElement.clientWidth + MARGIN, 0) || Math.min(left - MARGIN, 0);
  if (beyond !== 0) panel.style.translate = `${-beyond}px 0`;
};

/** What stays free beside a panel, in pixels. */
const MARGIN = 8;

/** A button with a panel below it, which Escape and a click elsewhere close. */
export const Popover = ({ label, name, children, opensOn, ...more }: Props) => {
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };

  useEffect(() => {
    if (!opensOn) return;
    const open = () => setOpen(true);
    addEventListener(opensOn, open);
    return () => removeEventListener(opensOn, open);
  }, [opensOn]);

  useEffect(() => {
    if (!isOpen) return;
    fit(panel.current);
    panel.current?.querySelector<HTMLElement>('input, select, button, a')?.focus();
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    // Wherever the focus is: it falls to the page where what had it is switched off.
    const escape = ({ key }: KeyboardEvent) => {
      if (key === 'Escape') close();
    };
    addEventListener('keydown', escape);
    addEventListener('pointerdown', outside);
    addEventListener('focusin', outside);
    return () => {
      removeEventListener('keydown', escape);
      removeEventListener('pointerdown', outside);
      removeEventListener('focusin', outside);
    };
  }, [isOpen]);

  return (
    <div class={`popover ${more.class ?? ''}`} ref={root}>
      <button type="button" ref={button} aria-expanded={isOpen} aria-controls={id} onClick={() => setOpen(!isOpen)}>
        {label}
      </button>
      {isOpen && (
        <div class="popover-panel" id={id} role="group" aria-label={name} ref={panel}>
          {children(close)}
        </div>
      )}
    </div>
  );
};
