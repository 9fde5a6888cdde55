// How the live tail is doing, in words: waiting, silent, paused, or with lines left out.
import { asSentence, count } from '../logic/format';
import type { Tail } from '../logic/logs';
import { WarningIcon } from './icons';

export interface TailStateProps {
  tail: Tail;
  /** How many lines the filter lets through. */
  shown: number;
  onResume(): void;
}

export function TailState({ tail, shown, onResume }: TailStateProps) {
  return (
    <>
      {tail.phase === 'silent' && (
        <p className="inline-failure" role="alert">
          <WarningIcon />
          {asSentence(tail.reason ?? 'the agent does not answer')}
        </p>
      )}
      {tail.dropped > 0 && (
        <p className="inline-warning" role="status" data-testid="tail-dropped">
          <WarningIcon />
          {count(tail.dropped)} {tail.dropped === 1 ? 'line was' : 'lines were'} left out because too many came at once.
        </p>
      )}
      {tail.paused && (
        <p className="inline-warning" role="status">
          Paused. {count(tail.held.length)} newer {tail.held.length === 1 ? 'line waits' : 'lines wait'}.
          <button type="button" className="button" onClick={onResume}>
            Show them
          </button>
        </p>
      )}
      {shown === 0 && tail.phase !== 'silent' && (
        <p className="card panel-empty" role="status" data-testid="tail-state" data-phase={tail.phase}>
          {tail.phase === 'waiting' ? 'Asking the agent…' : 'Listening. Every line the agent reads appears here.'}
        </p>
      )}
    </>
  );
}
