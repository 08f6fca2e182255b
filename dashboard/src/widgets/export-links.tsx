// The events of a selection as a file.
import { beside, chosenProject } from '../api/ask';
import { parameters, type Selection } from '../question';

const FORMATS = [
  ['csv', 'CSV'],
  ['ndjson', 'JSON lines'],
  ['parquet', 'Parquet'],
] as const;

/** Links to the events of a selection, in each form; the browser saves what comes, however much it is. */
export const ExportLinks = ({ selection }: { selection: Selection }) => {
  const { range, tz, filters } = selection;
  // A link has no headers: it says in its address which project is meant.
  const project = chosenProject();
  return (
    <div class="row">
      <span class="note">Events of this selection:</span>
      {FORMATS.map(([format, title]) => {
        const path = `/api/export?${parameters({ range, tz, filters }, { format, project })}`;
        return (
          <a key={format} class="button" href={beside(path)} download={`events.${format}`}>
            {title}
          </a>
        );
      })}
    </div>
  );
};
