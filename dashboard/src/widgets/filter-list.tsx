// Filters as chips, and the form that makes and changes one.
import { useCallback, useState } from 'preact/hooks';
import { ask } from '../api/ask';
import type { Properties, Rows } from '../api/shapes';
import { type Filter, filterOf, OPERATORS, operatorOf, type Simple, simple, words } from '../filters';
import { parameters, type Selection, useSelection } from '../question';
import { Popover } from './popover';
import { Suggest } from './suggest';

/** The fields of every event. */
export const FIELDS = ['event_type', 'event_action', 'user_id', 'session_id'];

/** How many suggestions are shown at once. */
const MOST = 20;

/** Suggests names of fields and properties that the events of the range have. */
export const suggestProperties = async (selection: Selection, text: string, signal: AbortSignal): Promise<string[]> => {
  const wide = { range: selection.range, tz: selection.tz, filters: [] };
  const search = text.replace(/^metadata\./, '').slice(0, 1000);
  const path = `/api/properties?${parameters(wide, { limit: MOST, search: search || undefined })}`;
  const { results } = await ask<Properties>(path, { signal });
  const fields = FIELDS.filter((field) => field.includes(text.toLowerCase()));
  const names = results.filter(({ types }) => Object.keys(types).some((type) => type !== 'object' && type !== 'array'));
  return [...fields, ...names.map(({ name }) => name)].slice(0, MOST);
};

/** Suggests values that a field has in the range, those of most events first. */
export const suggestValues = async (
  selection: Selection,
  field: string,
  text: string,
  signal: AbortSignal,
): Promise<string[]> => {
  if (!field) return [];
  const wide = { range: selection.range, tz: selection.tz, filters: [] };
  const pairs = parameters(wide, { limit: MOST, search: text.slice(0, 1000) || undefined });
  const { results } = await ask<Rows>(`/api/properties/${encodeURIComponent(field)}/values?${pairs}`, { signal });
  return results.map(({ dimensions }) => dimensions[0]).filter((value): value is string => typeof value === 'string');
};

interface FormProps {
  filter?: Filter;
  onDone: (filter: Filter) => void;
}

const EMPTY: Simple = { operator: 'is', field: '', values: [], ignoresCase: false };

/** The form of one filter. */
export const FilterForm = ({ filter, onDone }: FormProps) => {
  const selection = useSelection();
  const [form, setForm] = useState<Simple>(() => (filter && simple(filter)) ?? EMPTY);
  const [text, setText] = useState('');
  const [trouble, setTrouble] = useState('');
  const kind = operatorOf(form.operator)?.values ?? 'texts';
  const properties = useCallback((text: string, signal: AbortSignal) => suggestProperties(selection, text, signal), [selection]);
  const values = useCallback(
    (text: string, signal: AbortSignal) => suggestValues(selection, form.field, text, signal),
    [selection, form.field],
  );
  const change = (part: Partial<Simple>) => setForm({ ...form, ...part });
  const take = (value: string) => {
    if (value !== '' && !form.values.includes(value)) change({ values: [...form.values, value] });
    setText('');
  };

  const submit = (event: Event) => {
    event.preventDefault();
    const field = form.field.trim();
    if (!field) return setTrouble('Name the property that is meant.');
    let given = form.values;
    if (kind === 'texts') {
      given = (text !== '' && !given.includes(text) ? [...given, text] : given).map(String);
      if (given.length === 0) return setTrouble('Write at least one value.');
    } else if (kind !== 'none') {
      const wanted = kind === 'number' ? 1 : 2;
      given = given.slice(0, wanted).map(Number);
      if (given.length < wanted || given.some((value) => !Number.isFinite(value))) return setTrouble('Write a number.');
    }
    onDone(
      filterOf({
        ...form,
        field: FIELDS.includes(field) || field.startsWith('metadata.') ? field : `metadata.${field}`,
        values: given,
      }),
    );
  };

  const numberField = (index: number, label: string) => (
    <label>
      {label}
      <input
        type="number"
        step="any"
        value={form.values[index] ?? ''}
        onInput={({ currentTarget }) => {
          const values = [...form.values];
          values[index] = currentTarget.value;
          change({ values });
        }}
      />
    </label>
  );

  return (
    <form class="filter-form" onSubmit={submit}>
      <Suggest
        label="Property"
        value={form.field}
        onChange={(field) => change({ field })}
        suggest={properties}
        placeholder="metadata.path"
        required
      />
      <label>
        Condition
        <select value={form.operator} onChange={({ currentTarget }) => change({ operator: currentTarget.value })}>
          {OPERATORS.map(({ name, label }) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      {kind === 'texts' && (
        <>
          {form.values.length > 0 && (
            <ul class="chips" aria-label="Values">
              {form.values.map((value) => (
                <li key={String(value)} class="chip">
                  <bdi>{String(value)}</bdi>
                  <button
                    type="button"
                    aria-label={`Remove ${value}`}
                    onClick={() => change({ values: form.values.filter((one) => one !== value) })}
                  >
                    ×
                  </button>
                </li>
              ))}
            </ul>
          )}
          <Suggest
            label={form.values.length > 0 ? 'Or' : 'Value'}
            value={text}
            onChange={setText}
            onChoose={take}
            suggest={values}
          />
          <label class="check">
            <input
              type="checkbox"
              checked={form.ignoresCase}
              onChange={({ currentTarget }) => change({ ignoresCase: currentTarget.checked })}
            />
            Ignore upper and lower case
          </label>
        </>
      )}
      {kind === 'number' && numberField(0, 'Number')}
      {kind === 'two numbers' && (
        <>
          {numberField(0, 'From')}
          {numberField(1, 'To')}
        </>
      )}
      {trouble && (
        <p class="trouble" role="alert">
          {trouble}
        </p>
      )}
      <button type="submit" class="primary">
        {filter ? 'Change filter' : 'Add filter'}
      </button>
    </form>
  );
};

interface ListProps {
  filters: Filter[];
  onChange: (filters: Filter[]) => void;
  /** What the list is called. */
  name?: string;
  /** The event that opens the form from elsewhere. */
  opensOn?: string;
}

/** Filters that all hold, each of which can be changed and removed, and a button for one more. */
export const FilterList = ({ filters, onChange, name = 'Filters', opensOn }: ListProps) => (
  <div class="filters" role="group" aria-label={name}>
    {filters.length > 0 && (
      <ul class="chips">
        {filters.map((filter, index) => {
          const said = words(filter);
          return (
            <li key={JSON.stringify(filter)} class="chip">
              {simple(filter) ? (
                <Popover label={<bdi>{said}</bdi>} name={`Filter: ${said}`} class="in-chip">
                  {(close) => (
                    <FilterForm
                      filter={filter}
                      onDone={(changed) => {
                        close();
                        onChange(filters.map((one, at) => (at === index ? changed : one)));
                      }}
                    />
                  )}
                </Popover>
              ) : (
                <bdi>{said}</bdi>
              )}
              <button
                type="button"
                aria-label={`Remove filter: ${said}`}
                onClick={() => onChange(filters.filter((_, at) => at !== index))}
              >
                ×
              </button>
            </li>
          );
        })}
      </ul>
    )}
    <Popover label="+ Filter" name="New filter" {...(opensOn ? { opensOn } : {})}>
      {(close) => (
        <FilterForm
          onDone={(filter) => {
            close();
            onChange([...filters, filter]);
          }}
        />
      )}
    </Popover>
  </div>
);
