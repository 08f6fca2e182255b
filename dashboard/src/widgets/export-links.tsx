// The events of a selection as a file.
import { useState } from 'preact/hooks';
import { beside, chosenProject, request } from '../api/ask';
import { Failure } from '../api/failure';
import { parameters, type Selection } from '../question';
import { useStanding } from '../session';
import { sentence } from './panel';

const FORMATS = [
  ['csv', 'CSV'],
  ['ndjson', 'JSON lines'],
  ['parquet', 'Parquet'],
] as const;

/** Links to the events of a selection, in each form. */
export const ExportLinks = ({ selection }: { selection: Selection }) => {
  const standing = useStanding();
  const [trouble, setTrouble] = useState('');
  const first = standing.is === 'in' ? standing.session.projects[0]?.project : undefined;
  // A link has no headers: it is about the first project. The file of another one is fetched and then saved.
  const isPlain = chosenProject() === undefined || chosenProject() === first;
  const { range, tz, filters } = selection;
  return (
    <div class="row">
      <span class="note">Events of this selection:</span>
      {FORMATS.map(([format, title]) => {
        const path = `/api/export?${parameters({ range, tz, filters }, { format })}`;
        const name = `events.${format}`;
        return (
          <a
            key={format}
            class="button"
            href={beside(path)}
            download={name}
            onClick={(event) => {
              if (isPlain) return;
              event.preventDefault();
              setTrouble('');
              save(path, name).catch((error: unknown) => setTrouble(error instanceof Failure ? sentence(error) : String(error)));
            }}
          >
            {title}
          </a>
        );
      })}
      {trouble && (
        <span class="trouble" role="alert">
          {trouble}
        </span>
      )}
    </div>
  );
};

const save = async (path: string, name: string) => {
  const response = await request(path);
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
};
