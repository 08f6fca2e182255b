import { render } from 'preact';
import { here } from './route';
import { Page } from './shell/page';
import { start } from './shell/theme';
import { VIEWS } from './views';
import './style/index.css';

start();
// On its way while it is asked who is signed in. What fails here is told where the view is shown.
VIEWS.find(({ name }) => name === here().view)
  ?.load()
  .catch(() => {});
render(<Page />, document.getElementById('page')!);
