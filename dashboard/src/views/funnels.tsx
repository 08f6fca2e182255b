// How many go through steps, and how long it takes them.
import { useEffect } from 'preact/hooks';
import { useAnswer } from '../api/answer';
import type { Rows } from '../api/shapes';
import { FunnelChart } from '../funnel/chart';
import { FunnelForm } from '../funnel/form';
import { members, parameters, useSelection } from '../question';
import {
  askFunnel,
  type FunnelAnswer,
  type FunnelQuestion,
  readFunnel,
  STEPS,
  suggestSteps,
  writeFunnel,
} from '../questions/funnel';
import { change, usePlace } from '../route';
import { Panel } from '../widgets/panel';
import '../style/funnel.css';
import '../style/question-form.css';

export default () => {
  const selection = useSelection();
  const written = usePlace().params.get('funnel');
  const question = readFunnel(written ?? undefined);
  const set = (next: FunnelQuestion) => change({ funnel: writeFunnel(next) });

  const breakdown = parameters({ ...selection, compare: '' }, { dimension: 'event_action', metric: 'visitors', limit: 4 });
  const actions = useAnswer<Rows>(written ? undefined : `/api/breakdown?${breakdown}`).data;
  useEffect(() => {
    if (written || !actions) return;
    const known = actions.results
      .map(({ dimensions }) => dimensions[0])
      .filter((action): action is string => typeof action === 'string');
    // What is suggested stands in the address like what is chosen, so that a link goes on showing it.
    if (known.length >= STEPS.least)
      change({ funnel: writeFunnel({ ...question, steps: suggestSteps(known) }) }, { replace: true });
  }, [written, actions]);

  const isWhole = question.steps.length >= STEPS.least;
  const { compare: _, ...about } = members(selection);
  const answer = useAnswer<FunnelAnswer>(isWhole ? '/api/funnel' : undefined, { ...askFunnel(question), ...about });
  const subjects = question.by === 'session' ? 'sessions' : 'people';
  return (
    <div class="stack">
      <FunnelForm question={question} onChange={set} />
      {isWhole ? (
        <Panel
          title="Funnel"
          answer={answer}
          height={question.steps.length * 56 + 40}
          isEmpty={({ steps }) => !steps[0]?.count}
          empty={`No ${subjects} began with the first step in this range. Choose a longer range, or another first step.`}
        >
          {(data) => <FunnelChart answer={data} subjects={subjects} breakdown={question.breakdown} />}
        </Panel>
      ) : (
        <p class="empty">
          A funnel has at least two steps. Add them above: each is every event that passes its filters, such as “action is
          signup”.
        </p>
      )}
    </div>
  );
};
