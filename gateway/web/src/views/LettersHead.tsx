// The top of the page of dead letters: where it belongs, what they are, how many; and what is shown
// where there is none.
import { Link } from 'wouter';
import type { DeadLetterTotals } from '../io/contract-pipeline';
import { bytes } from '../logic/format';
import { lettersWords } from '../logic/letters';
import { CheckIcon, ChevronIcon, SearchIcon } from './icons';
import { Notice } from './parts';

export function LettersHead({ totals }: { totals: DeadLetterTotals | null }) {
  return (
    <div>
      <nav className="crumbs" aria-label="Where you are">
        <Link href="/pipeline">Pipeline</Link>
        <ChevronIcon />
        <span aria-current="page">Dead letters</span>
      </nav>
      <h1 className="page-title">Dead letters</h1>
      <p className="letters-words">
        Messages that could not be stored are kept here with the reason, for 30 days.
        {totals !== null && totals.count > 0 && <strong data-testid="letter-count"> {lettersWords(totals.count)}, {bytes(totals.bytes)}.</strong>}
      </p>
    </div>
  );
}

export function NoLetters({ filtered, searching, onClear }: { filtered: boolean; searching: boolean; onClear(): void }) {
  if (!filtered) {
    return (
      <Notice icon={<CheckIcon />} title="There are no dead letters">
        <p>Every message could be stored. One that cannot be, because it is broken or makes no sense, stops nothing: it is put here.</p>
      </Notice>
    );
  }
  return (
    <Notice icon={<SearchIcon />} title={searching ? 'None of the newest dead letters matches' : 'No dead letter matches'}>
      <button type="button" className="button" onClick={onClear}>
        Show all dead letters
      </button>
    </Notice>
  );
}
