// The views of the page. A view is one file here, loaded when it is opened, and one entry in this list.
import type { FunctionComponent } from 'preact';

/** A view of the page. */
export interface View {
  /** What it is called in the URL. */
  name: string;
  title: string;
  load: () => Promise<{ default: FunctionComponent }>;
  /** The letter that opens it after `g`. */
  key?: string;
  /** Whether it is left out of the navigation, as what is opened from another view. */
  isHidden?: true;
  /** Which parts of the shared selection it uses: the others are not shown. */
  uses: ('range' | 'compare' | 'filters')[];
}

/** All views, in the order of the navigation. */
export const VIEWS: View[] = [
  { name: 'overview', title: 'Overview', key: 'o', uses: ['range', 'compare', 'filters'], load: () => import('./overview') },
  { name: 'explore', title: 'Explore', key: 'e', uses: ['range', 'compare', 'filters'], load: () => import('./explore') },
  { name: 'funnels', title: 'Funnels', key: 'f', uses: ['range', 'filters'], load: () => import('./funnels') },
  { name: 'retention', title: 'Retention', key: 'r', uses: ['range'], load: () => import('./retention') },
  { name: 'paths', title: 'Paths', key: 'p', uses: ['range'], load: () => import('./paths') },
  { name: 'sessions', title: 'Sessions', key: 'i', uses: ['range', 'filters'], load: () => import('./sessions') },
  { name: 'session', title: 'Session', isHidden: true, uses: [], load: () => import('./session') },
  { name: 'person', title: 'Person', isHidden: true, uses: [], load: () => import('./person') },
  { name: 'live', title: 'Live', key: 'l', uses: ['filters'], load: () => import('./live') },
  { name: 'boards', title: 'Boards', key: 'b', uses: ['range'], load: () => import('./boards') },
  { name: 'settings', title: 'Project', key: 's', uses: [], load: () => import('./settings') },
];
