// Cohorts as a grid: a row for those who started together, a cell for each unit after.
import { day, number, percent } from '../format';
import type { RetentionAnswer, RetentionQuestion } from '../questions/retention';

interface Props {
  answer: RetentionAnswer;
  unit: RetentionQuestion['unit'];
  /** Who is counted: `people` or `sessions`. */
  subjects: string;
}

/** The most of the colour that a cell gets: with more, text would stand out too little. */
const STRONGEST = 45;

/** A table whose cells are the darker the more came back; what is not over is hatched. */
export const RetentionGrid = ({ answer: { cohorts }, unit, subjects }: Props) => {
  const periods = Math.max(0, ...cohorts.map(({ cells }) => cells.length));
  return (
    <div class="scroll cohorts" role="region" aria-label="Cohorts" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{unit === 'day' ? 'Day' : unit === 'week' ? 'Week from' : 'Month from'}</th>
            <th scope="col" class="number">
              {subjects === 'people' ? 'People' : 'Sessions'}
            </th>
            {Array.from({ length: periods }, (_, index) => (
              <th key={index} scope="col" class="number">
                <span class="unseen">{`${unit} `}</span>
                {index}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {cohorts.map(({ start, size, cells }) => (
            <tr key={start}>
              <th scope="row">{day(start)}</th>
              <td class="number">{number(size)}</td>
              {cells.map(({ count, out_of, incomplete }, index) => {
                // Units follow each other: while one is not over, the next has not begun.
                if (cells[index - 1]?.incomplete) return <td key={index} />;
                const part = out_of > 0 ? count / out_of : null;
                const said = `${number(count)} of ${number(out_of)}${incomplete ? `, the ${unit} is not over` : ''}`;
                return (
                  <td
                    key={index}
                    class={`number cell${incomplete ? ' is-incomplete' : ''}`}
                    style={{ '--strength': `${(part ?? 0) * STRONGEST}%` }}
                    title={said}
                  >
                    {percent(part)}
                    <span class="unseen">, {said}</span>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
};
