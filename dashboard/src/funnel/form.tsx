// The form of a funnel: its steps, and what counts as going through them.
import { type Exclusion, type FunnelQuestion, MOST_EXCLUSIONS, ORDERS, type Step, STEPS, SUBJECTS } from '../questions/funnel';
import { FilterList } from '../widgets/filter-list';
import { PropertyChoice } from '../widgets/property-choice';

interface Props {
  question: FunnelQuestion;
  onChange: (question: FunnelQuestion) => void;
}

const WINDOWS: [string, string][] = [
  ['10m', '10 minutes'],
  ['1h', '1 hour'],
  ['1d', '1 day'],
  ['7d', '7 days'],
  ['30d', '30 days'],
  ['90d', '90 days'],
];

const ORDER_NAMES: Record<(typeof ORDERS)[number], string> = {
  ordered: 'In this order',
  strict: 'In this order, with nothing between',
  any: 'In any order',
};

const SUBJECT_NAMES: Record<(typeof SUBJECTS)[number], string> = { person: 'People', session: 'Sessions' };

const without = <Item,>(list: readonly Item[], index: number) => list.filter((_, at) => at !== index);
const replaced = <Item,>(list: readonly Item[], index: number, item: Item) => list.map((one, at) => (at === index ? item : one));

/** The whole form; every change is told at once. */
export const FunnelForm = ({ question, onChange }: Props) => {
  const change = (part: Partial<FunnelQuestion>) => onChange({ ...question, ...part });
  const { steps, exclude, window } = question;
  const setSteps = (steps: Step[]) => change({ steps });
  const setExclusion = (index: number, part: Partial<Exclusion>) =>
    change({ exclude: replaced(exclude, index, { ...exclude[index]!, ...part }) });
  return (
    <section class="panel question-form" aria-label="The funnel’s steps">
      <ol class="steps">
        {steps.map((step, index) => (
          <li key={index}>
            <StepFields
              step={step}
              number={index + 1}
              onChange={(step) => setSteps(replaced(steps, index, step))}
              onRemove={() => setSteps(without(steps, index))}
              onRise={
                index === 0 ? undefined : () => setSteps(replaced(replaced(steps, index, steps[index - 1]!), index - 1, step))
              }
            />
          </li>
        ))}
      </ol>
      <p class="row">
        {steps.length < STEPS.most && (
          <button type="button" onClick={() => setSteps([...steps, { filters: [] }])}>
            + Step
          </button>
        )}
        {exclude.length < MOST_EXCLUSIONS && steps.length >= STEPS.least && (
          <button type="button" onClick={() => change({ exclude: [...exclude, { filters: [], after: 0, before: 1 }] })}>
            + Exclusion
          </button>
        )}
      </p>
      {exclude.length > 0 && (
        <ul class="steps">
          {exclude.map((one, index) => (
            <li key={index} class="row">
              <span>Not with</span>
              <FilterList
                filters={one.filters}
                name={`Filters of exclusion ${index + 1}`}
                onChange={(filters) => setExclusion(index, { filters })}
              />
              <StepChoice
                label="after"
                steps={steps}
                first={0}
                chosen={one.after}
                onChoose={(after) => setExclusion(index, { after, before: Math.max(one.before, after + 1) })}
              />
              <StepChoice
                label="before"
                steps={steps}
                first={one.after + 1}
                chosen={one.before}
                onChoose={(before) => setExclusion(index, { before })}
              />
              <button
                type="button"
                class="plain"
                aria-label={`Remove exclusion ${index + 1}`}
                onClick={() => change({ exclude: without(exclude, index) })}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="row fields">
        <label>
          Who is counted
          <select
            value={question.by}
            onChange={({ currentTarget }) => change({ by: currentTarget.value as FunnelQuestion['by'] })}
          >
            {SUBJECTS.map((by) => (
              <option key={by} value={by}>
                {SUBJECT_NAMES[by]}
              </option>
            ))}
          </select>
        </label>
        <label>
          Steps are taken
          <select
            value={question.order}
            onChange={({ currentTarget }) => change({ order: currentTarget.value as FunnelQuestion['order'] })}
          >
            {ORDERS.map((order) => (
              <option key={order} value={order}>
                {ORDER_NAMES[order]}
              </option>
            ))}
          </select>
        </label>
        <label>
          Within
          <select value={window} onChange={({ currentTarget }) => change({ window: currentTarget.value })}>
            {WINDOWS.map(([word, name]) => (
              <option key={word} value={word}>
                {name}
              </option>
            ))}
            {!WINDOWS.some(([word]) => word === window) && <option value={window}>{window}</option>}
          </select>
        </label>
        <PropertyChoice
          label="Break down by"
          value={question.breakdown}
          onChange={(breakdown) => change({ breakdown })}
          placeholder="nothing"
        />
      </div>
    </section>
  );
};

interface StepProps {
  step: Step;
  number: number;
  onChange: (step: Step) => void;
  onRemove: () => void;
  onRise: (() => void) | undefined;
}

const StepFields = ({ step, number, onChange, onRemove, onRise }: StepProps) => (
  <fieldset class="row">
    <legend>Step {number}</legend>
    <label>
      <span class="unseen">Name of step {number}</span>
      <input
        type="text"
        value={step.name ?? ''}
        maxLength={100}
        placeholder="Name"
        dir="auto"
        onChange={({ currentTarget: { value } }) =>
          onChange(value ? { name: value, filters: step.filters } : { filters: step.filters })
        }
      />
    </label>
    <FilterList
      filters={step.filters}
      name={`Filters of step ${number}`}
      onChange={(filters) => onChange({ ...step, filters })}
    />
    {step.filters.length === 0 && <span class="note">every event</span>}
    <span class="step-buttons">
      {onRise && (
        <button type="button" class="plain" aria-label={`Move step ${number} up`} onClick={onRise}>
          ↑
        </button>
      )}
      <button type="button" class="plain" aria-label={`Remove step ${number}`} onClick={onRemove}>
        ×
      </button>
    </span>
  </fieldset>
);

interface ChoiceProps {
  label: string;
  steps: readonly Step[];
  /** The first step that can be chosen, counted from 0. */
  first: number;
  chosen: number;
  onChoose: (index: number) => void;
}

const StepChoice = ({ label, steps, first, chosen, onChoose }: ChoiceProps) => (
  <label class="inline">
    {label}
    <select value={String(chosen)} onChange={({ currentTarget }) => onChoose(Number(currentTarget.value))}>
      {steps.map(
        ({ name }, index) =>
          index >= first && (
            <option key={index} value={String(index)}>
              step {index + 1}
              {name ? `: ${name}` : ''}
            </option>
          ),
      )}
    </select>
  </label>
);
