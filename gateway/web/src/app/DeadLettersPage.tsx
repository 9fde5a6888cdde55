// The page of the dead letters: joins the list and its filter, kept in the address, with what may be
// done to one or to all that match. What cannot be undone is asked about first.
import { useMemo, type ReactNode } from 'react';
import { useSearchParams } from 'wouter';
import type { DeadLetter } from '../io/contract-letters';
import { maySet } from '../logic/host-tabs';
import { isFiltered, letterFilterFrom, letterQueryOf, NO_LETTER_FILTER, reasonPart, type LetterFilter } from '../logic/letters';
import { LetterFilterBar } from '../views/LetterFilterBar';
import { LettersHead, NoLetters } from '../views/LettersHead';
import { LetterList } from '../views/LetterList';
import { ConfirmLetters, LetterOutcome, ManyOutcome } from '../views/LetterOutcome';
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { useRole, useTitle } from './hooks';
import { LetterPanel } from './LetterPanel';
import { useDeeds } from './use-letter-deeds';
import { useLetters, type Letters } from './use-letters';
import { usePipeline } from './use-pipeline';

export function DeadLettersPage() {
  useTitle('Dead letters');
  const [query, setQuery] = useSearchParams();
  const filter = useMemo(() => letterFilterFrom(query), [query]);
  const pipeline = usePipeline();
  const letters = useLetters(filter);
  const mayAct = maySet(useRole());
  const deeds = useDeeds(letters, filter, pipeline.retry);
  const show = (next: LetterFilter) => setQuery(letterQueryOf(next), { replace: true });
  return (
    <div className="host">
      <LettersHead totals={pipeline.value?.dead_letters ?? null} />
      <LetterFilterBar filter={filter} mayAct={mayAct} busy={deeds.busy} onFilter={show} onAll={deeds.askAboutAll} />
      {deeds.many.progress && <ManyOutcome {...deeds.many.progress} onStop={deeds.many.stop} onDismiss={deeds.many.dismiss} />}
      {deeds.outcome && <LetterOutcome outcome={deeds.outcome} onDismiss={deeds.dismiss} />}
      <Found letters={letters} filter={filter} onClear={() => show(NO_LETTER_FILTER)} onHost={(host) => show({ ...filter, host })}>
        {(letter) => (
          <LetterPanel
            letter={letter}
            mayAct={mayAct}
            busy={deeds.busy}
            onRetry={() => deeds.retry(letter)}
            onDiscard={() => deeds.ask({ deed: 'discard', letter })}
            onReason={(reason) => show({ ...filter, reason: reasonPart(reason) })}
          />
        )}
      </Found>
      {deeds.question && <ConfirmLetters question={deeds.question} onConfirm={deeds.confirm} onClose={() => deeds.ask(null)} />}
    </div>
  );
}

interface FoundProps {
  letters: Letters;
  filter: LetterFilter;
  onClear(): void;
  onHost(host: string): void;
  children(letter: DeadLetter): ReactNode;
}

function Found({ letters: found, filter, onClear, onHost, children }: FoundProps) {
  const { letters, loading, failure, older, olderBusy, retry } = found;
  if (loading) {
    return (
      <>
        <LoadingWords>Loading the dead letters</LoadingWords>
        <Skeleton className="card skeleton-chart" />
      </>
    );
  }
  return (
    <>
      {failure !== null && <InlineFailure what="The dead letters could not be loaded" failure={failure} onRetry={retry} />}
      {letters.length === 0 && failure === null && <NoLetters filtered={isFiltered(filter)} searching={older !== null} onClear={onClear} />}
      {letters.length > 0 && (
        <LetterList letters={letters} onHost={onHost}>
          {children}
        </LetterList>
      )}
      {older && (
        <button type="button" className="button panel-more" onClick={older} disabled={olderBusy}>
          {letters.length === 0 ? 'Search further back' : 'Show older dead letters'}
        </button>
      )}
    </>
  );
}
