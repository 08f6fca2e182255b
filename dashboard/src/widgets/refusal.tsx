// Why a change was not made.
import type { Failure } from '../api/failure';
import { sentence } from './panel';

/** The sentence of a refusal, where there is one. */
export const Refusal = ({ failure }: { failure: Failure | undefined }) =>
  failure ? (
    <p class="trouble" role="alert">
      {failure.status === 401 ? 'Nobody is signed in any more.' : sentence(failure)}
      {failure.path && failure.status === 400 ? ` (${failure.path})` : ''}
    </p>
  ) : null;
