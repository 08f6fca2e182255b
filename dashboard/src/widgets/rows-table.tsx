// The rows of an answer as a table.
import type { Column, Row } from '../api/shapes';
import { difference, number } from '../format';
import { fieldName } from '../filters';
import { ABSENT } from './ranking';

interface Props {
  rows: Row[];
  columns: Column[];
  /** What a figure is called. */
  title: (metric: string) => string;
  /** Makes the values of dimensions buttons. */
  onChoose?: (field: string, value: string | null) => void;
}

/** Every dimension and figure of the rows, and how each figure has changed. */
export const RowsTable = ({ rows, columns, title, onChoose }: Props) => {
  const dimensions = columns.filter(({ kind }) => kind === 'dimension');
  const metrics = columns.filter(({ kind }) => kind === 'metric');
  const isCompared = rows.some(({ comparison }) => comparison);
  return (
    <div class="scroll rows" tabIndex={0} role="region" aria-label="Rows as a table">
      <table>
        <thead>
          <tr>
            {dimensions.map(({ name }) => (
              <th key={name} scope="col">
                <bdi>{fieldName(name)}</bdi>
              </th>
            ))}
            {metrics.map(({ name }) => (
              <th key={name} scope="col" class="number">
                <bdi>{title(name)}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={JSON.stringify(row.dimensions)}>
              {row.dimensions.map((value, index) => {
                const field = dimensions[index]?.name ?? '';
                const cell = <Value value={value} {...(onChoose ? { onChoose: () => onChoose(field, value) } : {})} />;
                return index === 0 ? (
                  <th key={field} scope="row">
                    {cell}
                  </th>
                ) : (
                  <td key={field}>{cell}</td>
                );
              })}
              {row.metrics.map((value, index) => (
                <td key={metrics[index]?.name} class="number">
                  {number(value)}
                  {isCompared && <span class="note"> {difference(value, row.comparison?.[index])}</span>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
};

const Value = ({ value, onChoose }: { value: string | null; onChoose?: () => void }) => {
  const shown = value === null ? ABSENT : value === '' ? '(empty)' : value;
  if (!onChoose) return <bdi>{shown}</bdi>;
  return (
    <button type="button" class="plain value" title={`Only events with ${shown}`} onClick={onChoose}>
      <bdi>{shown}</bdi>
    </button>
  );
};
