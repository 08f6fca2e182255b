// Which events follow which.
import { useAnswer } from '../api/answer';
import type { Properties } from '../api/shapes';
import { members, parameters, useSelection } from '../question';
import {
  MOST_NAMES,
  MOST_STEPS,
  type PathsAnswer,
  type PathsQuestion,
  readPaths,
  SUBJECTS,
  writePaths,
} from '../questions/paths';
import { changed, change, format, usePlace } from '../route';
import { Sankey, WaysTable } from '../sankey/picture';
import { Choice } from '../widgets/choice';
import { FilterList } from '../widgets/filter-list';
import { Panel } from '../widgets/panel';
import { PropertyChoice } from '../widgets/property-choice';
import { WholeNumber } from '../widgets/whole-number';
import '../style/question-form.css';
import '../style/ways.css';

/** What names the steps where nobody has chosen: the path of pages, if there are any. */
const PATH = 'metadata.path';

/** The question that the address holds, and what names its steps: unknown until the properties are known. */
const useQuestion = () => {
  const place = usePlace();
  const { range, tz } = useSelection();
  const question = readPaths(place.params.get('paths') ?? undefined);
  const pairs = parameters({ range, tz, filters: [] }, { search: 'path' });
  const known = useAnswer<Properties>(question.name ? undefined : `/api/properties?${pairs}`);
  const chosen = known.data?.results.some((one) => one.name === PATH) ? PATH : 'event_action';
  const name = question.name || (known.data || known.failure ? chosen : undefined);
  return { place, question, name };
};

export default () => {
  const { question, name } = useQuestion();
  const set = (part: Partial<PathsQuestion>) => change({ paths: writePaths(merged(question, part)) });
  return (
    <div class="stack">
      <section class="panel question-form" aria-label="Which paths">
        <div class="row">
          <span>Begin with</span>
          <FilterList
            filters={question.from?.filters ?? []}
            name="Filters of the beginning"
            onChange={(filters) => set({ from: { filters } })}
          />
          {!question.from && <span class="note">the first event</span>}
        </div>
        <div class="row">
          <span>End with</span>
          <FilterList
            filters={question.to?.filters ?? []}
            name="Filters of the end"
            onChange={(filters) => set({ to: { filters } })}
          />
          {!question.to && <span class="note">the last event</span>}
        </div>
        <div class="row fields">
          <PropertyChoice label="A step is named by" value={name ?? ''} onChange={(name) => set({ name })} />
          <WholeNumber label="Steps" value={question.depth} least={1} most={MOST_STEPS} onChange={(depth) => set({ depth })} />
          <WholeNumber
            label="Names of a step"
            value={question.limit}
            least={1}
            most={MOST_NAMES}
            onChange={(limit) => set({ limit })}
          />
          <Choice
            label="Who is counted"
            value={question.by}
            words={SUBJECTS}
            names={{ person: 'People', session: 'Sessions' }}
            onChange={(by) => set({ by })}
          />
        </div>
      </section>
      <Result />
    </div>
  );
};

/** The paths; also what a board shows of them. */
const Result = () => {
  const { place, question, name } = useQuestion();
  const { date_range, timezone } = members(useSelection());
  const body = { ...question, name, date_range, timezone };
  const answer = useAnswer<PathsAnswer>(name ? '/api/paths' : undefined, body);
  const subjects = question.by === 'session' ? 'sessions' : 'people';

  /** The address of the paths that begin with a name. */
  const beginningWith = (value: string | null): string => {
    const field = name ?? PATH;
    const filters = [value === null ? ['not_exists', field] : ['is', field, [value]]];
    return format(changed({ paths: writePaths(merged(question, { from: { filters }, name: field })) }, place));
  };
  return (
    <Panel
      title="Paths"
      answer={answer}
      height={460}
      isEmpty={({ nodes }) => nodes.length === 0}
      empty={`No ${subjects} took such a path in this range. Choose a longer range, or another beginning or end.`}
      note="Choose a name to see the paths that begin with it."
    >
      {(data) => (
        <>
          <Sankey answer={data} subjects={subjects} hrefOf={beginningWith} />
          <WaysTable answer={data} subjects={subjects} />
        </>
      )}
    </Panel>
  );
};

export { Result as Tile };

/** The question with changed parts; a side without filters is none. */
const merged = (question: PathsQuestion, part: Partial<PathsQuestion>): PathsQuestion => {
  const { from, to, ...rest } = { ...question, ...part };
  return { ...rest, ...(from?.filters.length ? { from } : {}), ...(to?.filters.length ? { to } : {}) };
};
