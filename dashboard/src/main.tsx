import { render } from 'preact';
import { Page } from './shell/page';
import { start } from './shell/theme';
import './style/index.css';

start();
render(<Page />, document.getElementById('page')!);
