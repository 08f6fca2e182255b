// Reading what somebody may have written into an address: every value is looked at before it is used.
import type { Filter } from '../filters';

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object that `text` is JSON of; an empty one where it is none. */
export const readObject = (text: string | undefined): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
};

/** Filters as far as they look like some; whether they are right is the API's word. */
export const readFilters = (value: unknown): Filter[] =>
  Array.isArray(value) ? value.filter((one): one is Filter => Array.isArray(one) && typeof one[0] === 'string') : [];

/** The filters of `{"filters": [...]}`; `undefined` where there is no such object. */
export const readSide = (value: unknown): Filter[] | undefined => (isObject(value) ? readFilters(value['filters']) : undefined);

/** `value` where it is one of `words`, else the first of them. */
export const oneOf = <Word extends string>(value: unknown, words: readonly [Word, ...Word[]]): Word =>
  words.find((word) => word === value) ?? words[0];

/** A whole number between two, else `otherwise`. */
export const wholeNumber = (value: unknown, least: number, most: number, otherwise: number): number =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : otherwise;

/** A text, else an empty one. */
export const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The object without what is as it is anyway, so that addresses stay short. */
export const without = <Value extends object>(value: Value, defaults: Partial<Value>): Partial<Value> =>
  Object.fromEntries(
    Object.entries(value).filter(
      ([name, of]) => of !== undefined && JSON.stringify(of) !== JSON.stringify(defaults[name as keyof Value]),
    ),
  ) as Partial<Value>;
