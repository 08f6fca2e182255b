// The question of paths as the view keeps it: the body of `POST /api/paths` without range and zone.
import type { Filter } from '../filters';
import type { PathLink, PathNode } from '../sankey/layout';
import { oneOf, readObject, readSide, text, wholeNumber, without } from './shape';

export const SUBJECTS = ['person', 'session'] as const;
export const MOST_STEPS = 10;
/** More names are allowed by the API; a picture of so many has no room for them. */
export const MOST_NAMES = 25;

export interface PathsQuestion {
  from?: { filters: Filter[] };
  to?: { filters: Filter[] };
  depth: number;
  by: (typeof SUBJECTS)[number];
  /** Whose text names a step; empty where the view chooses. */
  name: string;
  limit: number;
}

/** What `POST /api/paths` answers. */
export interface PathsAnswer {
  nodes: PathNode[];
  links: PathLink[];
}

const DEFAULTS = { depth: 4, by: SUBJECTS[0], name: '', limit: 6 } as const;

/** Reads what stands in the address. */
export const readPaths = (written: string | undefined): PathsQuestion => {
  const value = readObject(written);
  const [from, to] = [readSide(value['from']), readSide(value['to'])];
  return {
    ...(from?.length ? { from: { filters: from } } : {}),
    ...(to?.length ? { to: { filters: to } } : {}),
    depth: wholeNumber(value['depth'], 1, MOST_STEPS, DEFAULTS.depth),
    by: oneOf(value['by'], SUBJECTS),
    name: text(value['name']),
    limit: wholeNumber(value['limit'], 1, MOST_NAMES, DEFAULTS.limit),
  };
};

/** What stands in the address. */
export const writePaths = (question: PathsQuestion): string => JSON.stringify(without(question, DEFAULTS));
