// Who comes back: of those who started in a week, how many were there again in each one after it.
import { useAnswer } from '../api/answer';
import { members, useSelection } from '../question';
import {
  FIRSTS,
  MODES,
  MOST_PERIODS,
  readRetention,
  type RetentionAnswer,
  type RetentionQuestion,
  SUBJECTS,
  UNITS,
  unitFor,
  writeRetention,
} from '../questions/retention';
import { RetentionGrid } from '../retention/grid';
import { change, usePlace } from '../route';
import { Choice } from '../widgets/choice';
import { FilterList } from '../widgets/filter-list';
import { Panel } from '../widgets/panel';
import { WholeNumber } from '../widgets/whole-number';
import '../style/question-form.css';
import '../style/cohorts.css';

/** The question that the address holds. */
const useQuestion = () => readRetention(usePlace().params.get('retention') ?? undefined, unitFor(useSelection().range));

export default () => {
  const question = useQuestion();
  const set = (part: Partial<RetentionQuestion>) => change({ retention: writeRetention({ ...question, ...part }) });
  return (
    <div class="stack">
      <section class="panel question-form" aria-label="Who is looked at">
        <div class="row">
          <span>Started with</span>
          <FilterList
            filters={question.start.filters}
            name="Filters of the start"
            onChange={(filters) => set({ start: { filters } })}
          />
          {question.start.filters.length === 0 && <span class="note">any event</span>}
        </div>
        <div class="row">
          <span>Came back with</span>
          <FilterList
            filters={question.return.filters}
            name="Filters of the return"
            onChange={(filters) => set({ return: { filters } })}
          />
          {question.return.filters.length === 0 && <span class="note">any event</span>}
        </div>
        <div class="row fields">
          <Choice
            label="By"
            value={question.unit}
            words={UNITS}
            names={{ day: 'Day', week: 'Week', month: 'Month' }}
            onChange={(unit) => set({ unit })}
          />
          <WholeNumber
            label={`${unitName(question.unit)}s shown`}
            value={question.periods}
            least={1}
            most={MOST_PERIODS}
            onChange={(periods) => set({ periods })}
          />
          <Choice
            label="A return counts"
            value={question.mode}
            words={MODES}
            names={{ on: `in its own ${question.unit}`, on_or_after: 'in all before it too' }}
            onChange={(mode) => set({ mode })}
          />
          <Choice
            label="The start is"
            value={question.first}
            words={FIRSTS}
            names={{ in_range: 'the first in the range', ever: 'the first ever' }}
            onChange={(first) => set({ first })}
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

/** The cohorts; also what a board shows of them. */
const Result = () => {
  const question = useQuestion();
  const { date_range, timezone } = members(useSelection());
  const answer = useAnswer<RetentionAnswer>('/api/retention', { ...question, date_range, timezone });
  const subjects = question.by === 'session' ? 'sessions' : 'people';
  return (
    <Panel
      title="Retention"
      answer={answer}
      height={260}
      isEmpty={({ cohorts }) => cohorts.every(({ size }) => size === 0)}
      empty={`No ${subjects} started in this range. Choose a longer range, or another start.`}
      note={`Hatched: the ${question.unit} is not over, so more may come.`}
    >
      {(data) => <RetentionGrid answer={data} unit={question.unit} subjects={subjects} />}
    </Panel>
  );
};

export { Result as Tile };

const unitName = (unit: string): string => unit.charAt(0).toUpperCase() + unit.slice(1);
