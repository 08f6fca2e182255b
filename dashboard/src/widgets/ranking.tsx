// Rows with a bar behind each, the greatest first.
import { difference, number, percent } from '../format';

/** A row of a ranking. */
export interface Ranked {
  /** `null` for what has no value. */
  value: string | null;
  figure: number | null;
  before?: number | null;
}

interface Props {
  rows: Ranked[];
  /** What the values and the figures are. */
  headings: [string, string];
  /** Of what the figures are a part, for the percentages. */
  whole?: number | null;
  /** Makes the rows buttons; says what they do. */
  onChoose?: (value: string | null) => void;
  choosing?: string;
}

/** What stands where an event has no value. */
export const ABSENT = '(none)';

/** A table of values by their figures. */
export const Ranking = ({ rows, headings, whole, onChoose, choosing = 'Only' }: Props) => {
  const most = Math.max(...rows.map(({ figure }) => figure ?? 0), 0);
  const hasBefore = rows.some(({ before }) => before !== undefined);
  return (
    <table class="ranking">
      <thead>
        <tr>
          <th scope="col">{headings[0]}</th>
          <th scope="col" class="number">
            {headings[1]}
          </th>
          {whole !== undefined && (
            <th scope="col" class="number part">
              Part
            </th>
          )}
          {hasBefore && (
            <th scope="col" class="number">
              Change
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ value, figure, before }) => {
          const shown = value === null ? ABSENT : value === '' ? '(empty)' : value;
          return (
            <tr key={value === null ? '\0' : value}>
              <th scope="row">
                <span
                  class="bar-behind"
                  style={{ width: `${most > 0 ? ((figure ?? 0) / most) * 100 : 0}%` }}
                  aria-hidden="true"
                />
                {onChoose ? (
                  <button type="button" class="plain value" title={`${choosing} ${shown}`} onClick={() => onChoose(value)}>
                    <bdi>{shown}</bdi>
                  </button>
                ) : (
                  <bdi class="value">{shown}</bdi>
                )}
              </th>
              <td class="number">{number(figure)}</td>
              {whole !== undefined && (
                <td class="number soft part">{percent(whole && figure !== null ? figure / whole : null)}</td>
              )}
              {hasBefore && <td class="number soft">{difference(figure, before)}</td>}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
};
