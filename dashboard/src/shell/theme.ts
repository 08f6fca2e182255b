// Light or dark: as the system has it, unless somebody has chosen.
import { useEffect, useState } from 'preact/hooks';

export type Theme = 'auto' | 'light' | 'dark';

const NAME = 'analytics.theme';
/** Told to everything that is drawn, not styled. */
export const THEMED = 'analytics:themed';

const stored = (): Theme => {
  try {
    const value = localStorage.getItem(NAME);
    return value === 'light' || value === 'dark' ? value : 'auto';
  } catch {
    return 'auto';
  }
};

let theme: Theme = stored();

const apply = () => {
  const root = document.documentElement;
  if (theme === 'auto') delete root.dataset.theme;
  else root.dataset.theme = theme;
  dispatchEvent(new Event(THEMED));
};

/** Follows the choice and the system from the start of the page on. */
export const start = () => {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
  apply();
};

/** Chooses a theme, for this browser. */
export const choose = (next: Theme) => {
  theme = next;
  try {
    if (next === 'auto') localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, next);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  apply();
};

/** The next theme of the switch. */
export const turn = () => choose(theme === 'auto' ? 'dark' : theme === 'dark' ? 'light' : 'auto');

/** The chosen theme. */
export const useTheme = (): Theme => {
  const [, setCount] = useState(0);
  useEffect(() => {
    const tell = () => setCount((count) => count + 1);
    addEventListener(THEMED, tell);
    return () => removeEventListener(THEMED, tell);
  }, []);
  return theme;
};
