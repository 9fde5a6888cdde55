// One dead letter, whole: fetched when it is unfolded.
import type { DeadLetter } from '../io/contract-letters';
import { LetterDetails } from '../views/LetterDetails';
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { usePolled } from './hooks';
import { useServices } from './services';

export interface LetterPanelProps {
  letter: DeadLetter;
  mayAct: boolean;
  busy: boolean;
  onRetry(): void;
  onDiscard(): void;
  onReason(reason: string): void;
}

export function LetterPanel({ letter, ...rest }: LetterPanelProps) {
  const { api } = useServices();
  const whole = usePolled({ key: String(letter.id), fetch: (signal) => api.letter(letter.id, signal), nextMs: () => null });
  return (
    <div className="letter-open">
      {whole.failure !== null && whole.value === null && <InlineFailure what="This dead letter could not be read" failure={whole.failure} onRetry={whole.retry} />}
      {whole.loading && (
        <>
          <LoadingWords>Loading the dead letter</LoadingWords>
          <Skeleton className="skeleton-letter" />
        </>
      )}
      {whole.value && <LetterDetails letter={whole.value} {...rest} />}
    </div>
  );
}
