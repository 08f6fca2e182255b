// The project: its settings and keys, and whether everything that was sent has arrived.
import { DeadLetters } from '../settings/dead-letters';
import { HealthPanel } from '../settings/health';
import { IntegrityPanel } from '../settings/integrity';
import { Keys } from '../settings/keys';
import { Settings } from '../settings/settings';
import '../style/settings.css';

/** The view. */
export default () => (
  <div class="stack">
    <HealthPanel />
    <IntegrityPanel />
    <DeadLetters />
    <Settings />
    <Keys />
  </div>
);
