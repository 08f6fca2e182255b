// Which project the page is about, and who is signed in.
import { useState } from 'preact/hooks';
import type { Session } from '../api/shapes';
import { change, usePlace } from '../route';
import { signOut } from '../session';
import { Dialog } from '../widgets/dialog';
import { KeyForm } from './sign-in';

/** The project's name, the choice of another, and the way out. */
export const Projects = ({ session }: { session: Session }) => {
  const { params } = usePlace();
  const [isAdding, setAdding] = useState(false);
  const named = params.get('project');
  const current = session.projects.find(({ project }) => project === named) ?? session.projects[0];
  if (session.open) return null;
  return (
    <div class="projects">
      <label class="unseen" for="project">
        Project
      </label>
      <select id="project" value={current?.project} onChange={({ currentTarget }) => change({ project: currentTarget.value })}>
        {session.projects.map(({ project, scope }) => (
          <option key={project} value={project}>
            {project}
            {scope === 'read' ? ' (read only)' : ''}
          </option>
        ))}
      </select>
      <button type="button" class="plain" onClick={() => setAdding(true)}>
        Add project
      </button>
      <button type="button" class="plain" onClick={() => void signOut()}>
        Sign out
      </button>
      {isAdding && (
        <Dialog title="Add a project" onClose={() => setAdding(false)}>
          <p>A key of another project adds it to this session.</p>
          <KeyForm label="Add" onDone={() => setAdding(false)} />
        </Dialog>
      )}
    </div>
  );
};
