// How many go through steps, and how long it takes them.
import { useEffect } from 'preact/hooks';
import { useAnswer } from '../api/answer';
import type { Rows } from '../api/shapes';
import { FunnelChart } from '../funnel/chart';
import { FunnelForm } from '../funnel/form';
import { members, parameters, useSelection } from '../question';
import { askFunnel, type FunnelAnswer, readFunnel, STEPS, suggestSteps, writeFunnel } from '../questions/funnel';
import { change, usePlace } from '../route';
import { Panel } from '../widgets/panel';
import '../style/funnel.css';
import '../style/question-form.css';

/** The question that the address holds. */
const useQuestion = () => {
  const written = usePlace().params.get('funnel');
  return { isWritten: Boolean(written), question: readFunnel(written ?? undefined) };
};

export default () => {
  const selection = useSelection();
  const { isWritten, question } = useQuestion();
  const breakdown = parameters({ ...selection, compare: '' }, { dimension: 'event_action', metric: 'visitors', limit: 4 });
  const actions = useAnswer<Rows>(isWritten ? undefined : `/api/breakdown?${breakdown}`);
  const { data, isOther } = actions;
  useEffect(() => {
    if (isWritten || !data || isOther) return;
    const known = data.results.map(({ dimensions }) => dimensions[0]).filter((action) => typeof action === 'string');
    // What is suggested stands in the address like what is chosen, so that a link goes on showing it.
    if (known.length >= STEPS.least) {
      change({ funnel: writeFunnel({ ...question, steps: suggestSteps(known) }) }, { replace: true });
    }
  }, [isWritten, data, isOther]);
  return (
    <div class="stack">
      <FunnelForm question={question} onChange={(next) => change({ funnel: writeFunnel(next) })} />
      {isWritten || data ? <Result /> : <Panel title="Funnel" answer={actions} height={260} children={() => null} />}
    </div>
  );
};

/** The funnel, or what is missing for one; also what a board shows of it. */
const Result = () => {
  const selection = useSelection();
  const { question } = useQuestion();
  const isWhole = question.steps.length >= STEPS.least;
  const { compare: _, ...about } = members(selection);
  const answer = useAnswer<FunnelAnswer>(isWhole ? '/api/funnel' : undefined, { ...askFunnel(question), ...about });
  const subjects = question.by === 'session' ? 'sessions' : 'people';
  if (!isWhole) {
    return (
      <p class="empty">
        A funnel has at least two steps. Add them above: each is every event that passes its filters, such as “action is signup”.
      </p>
    );
  }
  return (
    <Panel
      title="Funnel"
      answer={answer}
      height={question.steps.length * 56 + 40}
      isEmpty={({ steps }) => !steps[0]?.count}
      empty={`No ${subjects} began with the first step in this range. Choose a longer range, or another first step.`}
    >
      {(data) => <FunnelChart answer={data} subjects={subjects} breakdown={question.breakdown} />}
    </Panel>
  );
};

export { Result as Tile };
