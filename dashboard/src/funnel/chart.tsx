// A funnel as a table whose rows are bars.
import { duration, number, percent } from '../format';
import type { FunnelAnswer } from '../questions/funnel';

interface Props {
  answer: FunnelAnswer;
  /** Who is counted: `people` or `sessions`. */
  subjects: string;
  /** The field that the breakdown is by. */
  breakdown: string;
}

/** Each step with its bar, what is left of the step before and of the first, and how long it took. */
export const FunnelChart = ({ answer: { steps, breakdown: values }, subjects, breakdown }: Props) => (
  <>
    <div class="scroll" role="region" aria-label="Steps" tabIndex={0}>
      <table class="funnel">
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" class="number">
              {subjects === 'people' ? 'People' : 'Sessions'}
            </th>
            <th scope="col" class="number">
              Of the first
            </th>
            <th scope="col" class="number">
              Of the step before
            </th>
            <th scope="col" class="number">
              Median time
            </th>
            <th scope="col" class="number">
              Average time
            </th>
          </tr>
        </thead>
        <tbody>
          {steps.map(({ name, count, ratio_first, ratio_previous, median_seconds, average_seconds }, index) => (
            <tr key={index}>
              <th scope="row">
                <span class="step-name">
                  {index + 1}. <bdi>{name}</bdi>
                </span>
                <span class="bar-track" aria-hidden="true">
                  <span class="bar-fill" style={{ width: `${(ratio_first ?? 0) * 100}%` }} />
                </span>
              </th>
              <td class="number">{number(count)}</td>
              <td class="number">{percent(ratio_first)}</td>
              <td class="number">{index === 0 ? '' : percent(ratio_previous)}</td>
              <td class="number">{index === 0 ? '' : duration(median_seconds)}</td>
              <td class="number">{index === 0 ? '' : duration(average_seconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
    {values && values.length > 0 && (
      <div class="scroll" role="region" aria-label="By value" tabIndex={0}>
        <table class="funnel-values">
          <caption>
            By <bdi>{breakdown}</bdi> of the first step’s event
          </caption>
          <thead>
            <tr>
              <th scope="col">Value</th>
              {steps.map(({ name }, index) => (
                <th key={index} scope="col" class="number">
                  {index + 1}. <bdi>{name}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {values.map(({ value, steps }, row) => (
              <tr key={row}>
                <th scope="row">{value === null ? <em>none</em> : <bdi>{value}</bdi>}</th>
                {steps.map(({ count, ratio_first }, index) => (
                  <td key={index} class="number">
                    {number(count)} {index > 0 && <span class="note">{percent(ratio_first)}</span>}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    )}
  </>
);
