// The question of a funnel as the view keeps it: the body of `POST /api/funnel` without range, zone and the page's filters.
import type { Filter } from '../filters';
import { isObject, oneOf, readFilters, readObject, text, wholeNumber, without } from './shape';

export const ORDERS = ['ordered', 'strict', 'any'] as const;
export const SUBJECTS = ['person', 'session'] as const;
/** The fewest and the most steps that the API takes. */
export const STEPS = { least: 2, most: 10 };
export const MOST_EXCLUSIONS = 10;

export interface Step {
  name?: string;
  filters: Filter[];
}

export interface Exclusion {
  filters: Filter[];
  after: number;
  before: number;
}

export interface FunnelQuestion {
  steps: Step[];
  window: string;
  order: (typeof ORDERS)[number];
  by: (typeof SUBJECTS)[number];
  exclude: Exclusion[];
  breakdown: string;
}

export interface FunnelStep {
  name: string;
  count: number;
  ratio_previous: number | null;
  ratio_first: number | null;
  median_seconds: number | null;
  average_seconds: number | null;
}

/** What `POST /api/funnel` answers. */
export interface FunnelAnswer {
  steps: FunnelStep[];
  breakdown?: { value: string | null; steps: FunnelStep[] }[];
}

const DEFAULTS = { window: '1d', order: ORDERS[0], by: SUBJECTS[0], exclude: [] as Exclusion[], breakdown: '' };

/** Reads what stands in the address. */
export const readFunnel = (written: string | undefined): FunnelQuestion => {
  const value = readObject(written);
  const list = (name: string): Record<string, unknown>[] => {
    const { [name]: of } = value;
    return Array.isArray(of) ? of.filter(isObject) : [];
  };
  return {
    steps: list('steps')
      .slice(0, STEPS.most)
      .map((step) => {
        const name = text(step['name']);
        const filters = readFilters(step['filters']);
        return name ? { name, filters } : { filters };
      }),
    window: text(value['window']) || DEFAULTS.window,
    order: oneOf(value['order'], ORDERS),
    by: oneOf(value['by'], SUBJECTS),
    exclude: list('exclude')
      .slice(0, MOST_EXCLUSIONS)
      .map((one) => {
        const after = wholeNumber(one['after'], 0, STEPS.most - 2, 0);
        return {
          filters: readFilters(one['filters']),
          after,
          before: wholeNumber(one['before'], after + 1, STEPS.most - 1, after + 1),
        };
      }),
    breakdown: text(value['breakdown']),
  };
};

/** What stands in the address. */
export const writeFunnel = (question: FunnelQuestion): string => JSON.stringify(without(question, DEFAULTS));

/** The body of the request, but for range, zone and filters. */
export const askFunnel = (question: FunnelQuestion): Record<string, unknown> => ({
  ...without(question, { exclude: [], breakdown: '' }),
});

/** Steps to begin with: actions from the most frequent to the least. */
export const suggestSteps = (actions: readonly string[]): Step[] =>
  actions.slice(0, 4).map((action) => ({ name: action, filters: [['is', 'event_action', [action]]] }));
