// What the tag `<script defer src=".../tracker.js" data-key="...">` runs: its attributes are the settings.
import { start, type Analytics, type Call, type Settings } from './tracker';

declare global {
  interface Window {
    analytics?: Analytics | Call[];
  }
}

const { analytics } = window;
const script = document.currentScript as HTMLScriptElement | null;

// A second tag, or another product of this name, is not counted with. An element of this id is no calls.
if ((analytics as Analytics | undefined)?.track) console.warn('analytics: already here');
else {
  window.analytics = start({ host: script?.src, ...script?.dataset } as Settings, analytics as Call[]);
}
