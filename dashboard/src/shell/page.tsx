// The page around the views.
import type { FunctionComponent } from 'preact';
import { useEffect, useErrorBoundary, useState } from 'preact/hooks';
import { refreshAll, useAnswer } from '../api/answer';
import type { Session, Setting } from '../api/shapes';
import { setFilters, useSelection } from '../question';
import { change, here, href, usePlace } from '../route';
import { chosen, load, useStanding } from '../session';
import { VIEWS, type View } from '../views';
import { FilterList } from '../widgets/filter-list';
import { Trouble } from '../widgets/panel';
import { Dates, ownZone } from './dates';
import { Projects } from './projects';
import { SavedViews } from './saved-views';
import { OPEN_FILTER, Shortcuts } from './shortcuts';
import { SignIn } from './sign-in';
import { turn, useTheme } from './theme';

/** The whole page. */
export const Page = () => {
  const standing = useStanding();
  useEffect(() => void load(), []);
  switch (standing.is) {
    case 'unknown':
      return <p class="waiting">Loading</p>;
    case 'away':
      return (
        <main class="sign-in">
          <h1>analytics</h1>
          <Trouble failure={standing.failure} retry={() => void load()} />
          <Again />
        </main>
      );
    case 'out':
      return <SignIn ended={standing.ended} />;
    case 'in':
      return <Inside session={standing.session} />;
  }
};

/** Asks again who is signed in, every few seconds. */
const Again = () => {
  useEffect(() => {
    const timer = setInterval(() => void load(), 5000);
    return () => clearInterval(timer);
  }, []);
  return null;
};

/** What the project has set for this page. */
const useSettings = () => {
  const answer = useAnswer<{ settings: Setting[] }>('/api/settings');
  const own = answer.isOther ? undefined : answer.data?.settings;
  const text = (name: string) => {
    const setting = own?.find((setting) => setting.name === name && setting.source !== 'default');
    return typeof setting?.value === 'string' ? setting.value : undefined;
  };
  // An older server has no settings; one that is away is told of by every panel.
  return { isKnown: own !== undefined || answer.failure !== undefined, tz: text('timezone'), title: text('project_title') };
};

const Inside = ({ session }: { session: Session }) => {
  const place = usePlace();
  const project = place.params.get('project');
  const isZoned = place.params.has('tz');
  // Before anything below asks.
  chosen();
  const { isKnown, tz, title = 'analytics' } = useSettings();
  useEffect(() => {
    // A link says what it means to whoever follows it, wherever they are.
    if (isKnown && !here().params.has('tz')) change({ tz: tz ?? ownZone() }, { replace: true });
  }, [isKnown, isZoned, project]);
  const view = VIEWS.find(({ name }) => name === place.view);
  useEffect(() => {
    document.title = view ? `${view.title} · ${title}` : title;
  }, [view, title]);
  return (
    <>
      <a
        class="skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('content')?.focus();
        }}
      >
        Skip to the content
      </a>
      <header class="bar">
        <a class="home" href={href('overview')}>
          <bdi>{title}</bdi>
        </a>
        <Navigation current={place.view} />
        <div class="bar-end">
          <Projects session={session} />
          <ThemeSwitch />
          <button
            type="button"
            class="plain"
            aria-label="Keys"
            title="Keys (?)"
            onClick={() => dispatchEvent(new Event('analytics:help'))}
          >
            ?
          </button>
        </div>
      </header>
      {view && view.uses.length > 0 && <SelectionBar view={view} />}
      <main id="content" tabIndex={-1}>
        <h1 class="unseen">{view?.title ?? 'Not found'}</h1>
        {!view ? (
          <p class="empty">
            There is no view “<bdi>{place.view}</bdi>”. <a href={href('overview')}>Go to the overview</a>.
          </p>
        ) : (
          isZoned && <Loaded key={`${view.name}\n${project ?? ''}`} view={view} />
        )}
      </main>
      <Shortcuts />
    </>
  );
};

const Navigation = ({ current }: { current: string }) => (
  <nav aria-label="Views">
    <ul>
      {VIEWS.filter(({ isHidden }) => !isHidden).map(({ name, title }) => (
        <li key={name}>
          <a href={href(name)} aria-current={name === current ? 'page' : undefined}>
            {title}
          </a>
        </li>
      ))}
    </ul>
  </nav>
);

/** What the view is asked about. */
const SelectionBar = ({ view }: { view: View }) => {
  const { filters } = useSelection();
  return (
    <div class="selection" role="group" aria-label="Selection">
      {view.uses.includes('range') && <Dates hasCompare={view.uses.includes('compare')} />}
      {view.uses.includes('filters') && <FilterList filters={filters} onChange={setFilters} opensOn={OPEN_FILTER} />}
      <SavedViews />
      <button type="button" class="plain" title="Ask everything again (r)" onClick={refreshAll}>
        Refresh
      </button>
    </div>
  );
};

const ThemeSwitch = () => {
  const theme = useTheme();
  const names = { auto: 'As the system', light: 'Light', dark: 'Dark' };
  return (
    <button
      type="button"
      class="plain"
      aria-label={`Colours: ${names[theme]}`}
      title={`Colours: ${names[theme]} (t)`}
      onClick={turn}
    >
      {{ auto: '◐', light: '○', dark: '●' }[theme]}
    </button>
  );
};

/** A view, loaded when it is first opened. */
const Loaded = ({ view }: { view: View }) => {
  const [Component, setComponent] = useState<FunctionComponent>();
  const [hasFailed, setFailed] = useState(false);
  useEffect(() => {
    view.load().then(
      (loaded) => setComponent(() => loaded.default),
      () => setFailed(true),
    );
  }, [view]);
  if (hasFailed) {
    return (
      <div class="trouble" role="alert">
        <p>This view could not be loaded: the server is away, or has become a newer one since this page was opened.</p>
        <button type="button" onClick={() => location.reload()}>
          Load the page again
        </button>
      </div>
    );
  }
  return Component ? <Fenced view={Component} /> : <p class="waiting">Loading</p>;
};

/** A view whose own mistakes leave the rest of the page as it is. */
const Fenced = ({ view: Component }: { view: FunctionComponent }) => {
  const [error, reset] = useErrorBoundary((error) => console.error(error));
  if (!error) return <Component />;
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>This view could not be drawn.</strong> That is a mistake of the page: {String(error)}
      </p>
      <button type="button" onClick={reset}>
        Draw it again
      </button>
    </div>
  );
};
