// The choice of a range, its zone, and what to compare it with.
import { useEffect, useState } from 'preact/hooks';
import { day } from '../format';
import { useSelection } from '../question';
import { change } from '../route';
import { Popover } from '../widgets/popover';
import { OPEN_DATES } from './shortcuts';

const PRESETS: [string, string][] = [
  ['today', 'Today'],
  ['yesterday', 'Yesterday'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
  ['90d', 'Last 90 days'],
  ['month', 'This month'],
  ['year', 'This year'],
  ['all', 'Everything'],
];

const COMPARISONS: [string, string][] = [
  ['', 'Nothing'],
  ['previous_period', 'The period before'],
  ['previous_year', 'The year before'],
];

/** A range in words. */
export const rangeName = (range: string): string => {
  const preset = PRESETS.find(([name]) => name === range);
  if (preset) return preset[1];
  const [from = '', to = ''] = range.split(',');
  return from === to ? day(from) : `${day(from)} – ${day(to)}`;
};

const zones = (): string[] => {
  const known = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];
  return known.includes('UTC') ? known : ['UTC', ...known];
};

/** The zone of the browser. */
export const ownZone = (): string => {
  try {
    return new Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
  } catch {
    return 'UTC';
  }
};

/** The button that tells the range, and the panel that changes it. */
export const Dates = ({ hasCompare }: { hasCompare: boolean }) => {
  const { range, tz, compare } = useSelection();
  const name = rangeName(range);
  const compared = COMPARISONS.find(([word]) => word === compare)?.[1] ?? (compare ? rangeName(compare) : '');
  const label = (
    <>
      <span>{name}</span>
      <span class="note">
        {tz}
        {hasCompare && compare ? ` · against ${compared.charAt(0).toLowerCase()}${compared.slice(1)}` : ''}
      </span>
    </>
  );
  return (
    <Popover label={label} name="Dates" class="dates" opensOn={OPEN_DATES}>
      {(close) => (
        <>
          <ul class="presets">
            {PRESETS.map(([word, title]) => (
              <li key={word}>
                <button
                  type="button"
                  aria-pressed={word === range}
                  onClick={() => {
                    change({ range: word });
                    close();
                  }}
                >
                  {title}
                </button>
              </li>
            ))}
          </ul>
          <Days range={range} onDone={close} />
          <Zone tz={tz} />
          {hasCompare && (
            <label>
              Compare with
              <select value={compare ?? ''} onChange={({ currentTarget }) => change({ compare: currentTarget.value })}>
                {COMPARISONS.map(([word, title]) => (
                  <option key={word} value={word}>
                    {title}
                  </option>
                ))}
                {compare && !COMPARISONS.some(([word]) => word === compare) && <option value={compare}>{compared}</option>}
              </select>
            </label>
          )}
        </>
      )}
    </Popover>
  );
};

/** Two days of one's own choice. */
const Days = ({ range, onDone }: { range: string; onDone: () => void }) => {
  const [ends, setEnds] = useState(() => {
    const [from = '', to = ''] = range.includes(',') ? range.split(',').map((end) => end.slice(0, 10)) : [];
    return { from, to };
  });
  const isReady = ends.from !== '' && ends.to !== '' && ends.from <= ends.to;
  return (
    <form
      class="days"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isReady) return;
        change({ range: `${ends.from},${ends.to}` });
        onDone();
      }}
    >
      <label>
        From
        <input
          type="date"
          value={ends.from}
          max={ends.to}
          onInput={({ currentTarget }) => setEnds({ ...ends, from: currentTarget.value })}
        />
      </label>
      <label>
        To
        <input
          type="date"
          value={ends.to}
          min={ends.from}
          onInput={({ currentTarget }) => setEnds({ ...ends, to: currentTarget.value })}
        />
      </label>
      <button type="submit" disabled={!isReady}>
        Show
      </button>
    </form>
  );
};

/** The zone, by its name. */
const Zone = ({ tz }: { tz: string }) => {
  const [text, setText] = useState(tz);
  const [known] = useState(zones);
  useEffect(() => setText(tz), [tz]);
  const isKnown = known.includes(text);
  return (
    <label>
      Time zone
      <input
        type="text"
        list="zones"
        value={text}
        spellcheck={false}
        aria-invalid={!isKnown}
        onInput={({ currentTarget }) => {
          setText(currentTarget.value);
          if (known.includes(currentTarget.value)) change({ tz: currentTarget.value });
        }}
      />
      <datalist id="zones">
        {known.map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      {!isKnown && <span class="note">A name such as Europe/Berlin or UTC</span>}
    </label>
  );
};
