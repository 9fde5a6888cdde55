// The question before dead letters are dealt with, and what became of them.
import type { DeadLetter } from '../io/contract-letters';
import { count } from '../logic/format';
import { failedWords, filterWords, lettersWords, outcomeWords, refusals, type Deed, type LetterFilter, type Outcome } from '../logic/letters';
import { ConfirmDialog } from './ConfirmDialog';
import { CheckIcon, WarningIcon } from './icons';

export type Question =
  | { deed: 'discard'; letter: DeadLetter }
  | { deed: Deed; filter: LetterFilter; counted: { number: number; atLeast: boolean } };

const DISCARD_WORDS = 'It cannot be undone: the message is deleted, and nobody is asked for it again. The ledger keeps counting it as set aside.';
const RETRY_WORDS = 'Each is published again and leaves this list. What still cannot be stored comes back as a new dead letter.';

export function ConfirmLetters({ question, onConfirm, onClose }: { question: Question; onConfirm(): void; onClose(): void }) {
  const { deed } = question;
  const what = 'letter' in question ? `dead letter ${question.letter.id}` : lettersWords(question.counted.number, question.counted.atLeast);
  const verb = deed === 'retry' ? 'Retry' : 'Discard';
  return (
    <ConfirmDialog title={`${verb} ${what}?`} action={'letter' in question ? verb : `${verb} ${what}`} tone={deed === 'discard' ? 'bad' : 'plain'} onConfirm={onConfirm} onClose={onClose}>
      {'letter' in question ? (
        <p>
          A message of {question.letter.stream}
          {question.letter.host && ` from ${question.letter.host}`}: <span className="confirm-reason">{question.letter.reason}</span>
        </p>
      ) : (
        <p>All dead letters{filterWords(question.filter)}, with those that arrive until you confirm.</p>
      )}
      <p>{deed === 'retry' ? RETRY_WORDS : DISCARD_WORDS}</p>
    </ConfirmDialog>
  );
}

export function LetterOutcome({ outcome, onDismiss }: { outcome: { good: boolean; words: string }; onDismiss(): void }) {
  return (
    <p className={outcome.good ? 'inline-good' : 'inline-failure'} role={outcome.good ? 'status' : 'alert'} data-testid="letter-outcome">
      {outcome.good ? <CheckIcon /> : <WarningIcon />}
      <span className="outcome-words">{outcome.words}</span>
      <button type="button" className="button" onClick={onDismiss}>
        Dismiss
      </button>
    </p>
  );
}

export interface ManyOutcomeProps {
  deed: Deed;
  outcome: Outcome;
  running: boolean;
  stopped: boolean;
  failure: unknown;
  /** What failed may still be done. */
  goesOn: boolean;
  onStop(): void;
  onDismiss(): void;
}

export function ManyOutcome({ deed, outcome, running, stopped, failure, goesOn, onStop, onDismiss }: ManyOutcomeProps) {
  const reasons = refusals(outcome);
  const look = failure !== null ? 'inline-failure' : reasons.length > 0 ? 'inline-warning' : 'inline-good';
  return (
    <div className={look} role={failure === null ? 'status' : 'alert'} data-testid="many-outcome">
      {running ? <span className="spinner" aria-hidden="true" /> : failure === null && reasons.length === 0 ? <CheckIcon /> : <WarningIcon />}
      <span className="outcome-words">
        {running ? `${count(outcome.done)} ${deed === 'retry' ? 'published again' : 'discarded'} so far…` : outcomeWords(deed, outcome)}
        {stopped && ' You stopped it: the others are as they were.'}
        {failure !== null && ` ${failedWords(failure, goesOn)}`}
      </span>
      <button type="button" className="button" onClick={running ? onStop : onDismiss}>
        {running ? 'Stop' : 'Dismiss'}
      </button>
      {reasons.length > 0 && (
        <ul className="refusals">
          {reasons.map(([reason, times]) => (
            <li key={reason}>
              {count(times)} × {reason}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
