// Filters as the API reads them, and their words.

/** `["is", "metadata.path", ["/docs"]]`, `["or", [...]]`, `["not", [...]]`: see `docs/queries/filters.md`. */
export type Filter = unknown[];

/** A filter on one field, which a form can show. */
export interface Simple {
  operator: string;
  field: string;
  values: (string | number)[];
  ignoresCase: boolean;
}

/** How many values an operator takes, and whether they are numbers. */
export interface Operator {
  name: string;
  label: string;
  values: 'none' | 'texts' | 'number' | 'two numbers';
}

export const OPERATORS: Operator[] = [
  { name: 'is', label: 'is', values: 'texts' },
  { name: 'is_not', label: 'is not', values: 'texts' },
  { name: 'contains', label: 'contains', values: 'texts' },
  { name: 'not_contains', label: 'does not contain', values: 'texts' },
  { name: 'starts_with', label: 'starts with', values: 'texts' },
  { name: 'matches', label: 'matches (* and ?)', values: 'texts' },
  { name: 'gt', label: '>', values: 'number' },
  { name: 'gte', label: '≥', values: 'number' },
  { name: 'lt', label: '<', values: 'number' },
  { name: 'lte', label: '≤', values: 'number' },
  { name: 'between', label: 'is between', values: 'two numbers' },
  { name: 'exists', label: 'is there', values: 'none' },
  { name: 'not_exists', label: 'is not there', values: 'none' },
];

/** The operator of a name. */
export const operatorOf = (name: string): Operator | undefined => OPERATORS.find((operator) => operator.name === name);

/** Reads `filter` of a URL: one filter or a list of them; what is no list counts as none. */
export const filtersOf = (text: string | null): Filter[] => {
  if (!text) return [];
  try {
    const read: unknown = JSON.parse(text);
    if (!Array.isArray(read) || read.length === 0) return [];
    return typeof read[0] === 'string' ? [read] : read.filter((one): one is Filter => Array.isArray(one));
  } catch {
    return [];
  }
};

/** The filter as a form shows it; nothing where it holds other filters. */
export const simple = (filter: Filter): Simple | undefined => {
  const [operator, field, values = [], options] = filter;
  if (typeof operator !== 'string' || typeof field !== 'string' || !operatorOf(operator) || !Array.isArray(values))
    return undefined;
  const ignoresCase = (options as { case_sensitive?: boolean } | undefined)?.case_sensitive === false;
  return { operator, field, values: values as (string | number)[], ignoresCase };
};

/** The filter that a form's fields make. */
export const filterOf = ({ operator, field, values, ignoresCase }: Simple): Filter => {
  if (operatorOf(operator)?.values === 'none') return [operator, field];
  return ignoresCase ? [operator, field, values, { case_sensitive: false }] : [operator, field, values];
};

/** What a person calls a field: `metadata.path` is `path`. */
export const fieldName = (field: string): string => field.replace(/^metadata\./, '').replace(/^event_/, '');

/** The filter in words. */
export const words = (filter: Filter): string => {
  const known = simple(filter);
  if (known) {
    const label = operatorOf(known.operator)?.label.replace(/ \(.*/, '') ?? known.operator;
    const joined = known.values.join(known.operator === 'between' ? ' and ' : ' or ');
    return [fieldName(known.field), label, joined].filter(Boolean).join(' ');
  }
  const [operator, inner] = filter;
  if (Array.isArray(inner)) {
    const parts = (typeof inner[0] === 'string' ? [inner] : inner) as Filter[];
    if (parts.every(Array.isArray)) {
      const joined = parts.map(words).join(operator === 'or' ? ' or ' : ' and ');
      return operator === 'and' || operator === 'or' ? joined : `${String(operator).replace(/_/g, ' ')} (${joined})`;
    }
  }
  return JSON.stringify(filter);
};

/** The filters with one more, that `field` is `value` or, for `null`, absent; it replaces what says that already. */
export const narrowed = (filters: Filter[], field: string, value: string | null): Filter[] => {
  const added: Filter = value === null ? ['not_exists', field] : ['is', field, [value]];
  const kept = filters.filter(([operator, of]) => !(of === field && (operator === 'is' || operator === 'not_exists')));
  return [...kept, added];
};
