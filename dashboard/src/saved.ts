// Views that were saved under a name: a view's place, without the project that it stands in.
import type { SavedView } from './api/shapes';
import { format, here, parse, type Place } from './route';

/** The place that a saved view shows, in the project that is shown now. */
export const placeOf = ({ state, page }: SavedView): Place => {
  const place = parse(typeof state.hash === 'string' ? state.hash : `#/${page}`);
  const project = here().params.get('project');
  if (project) place.params.set('project', project);
  else place.params.delete('project');
  return place;
};

/** What is saved of a place. */
export const bodyOf = (name: string, place: Place): Omit<SavedView, 'id' | 'updated_at'> => {
  const params = new URLSearchParams(place.params);
  params.delete('project');
  return { name, page: place.view, state: { hash: format({ ...place, params }) } };
};
