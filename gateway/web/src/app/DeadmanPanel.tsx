// The dead-man's switch: an address that is asked for as long as the pipeline works, so that somebody
// else notices when it does not.
import { useState } from 'react';
import type { Deadman } from '../io/contract-channels';
import { ApiError } from '../io/http';
import { failureSentence } from '../logic/format';
import { readDuration } from '../logic/quantities';
import { besideField } from '../logic/rule-form';
import { DeadmanForm } from '../views/DeadmanForm';
import type { Wrong } from '../views/form-parts';
import { InlineFailure, Skeleton } from '../views/parts';
import { useNow, usePolled } from './hooks';
import { useServices } from './services';

const DEADMAN_MS = 15_000;

export function DeadmanPanel({ mayEdit }: { mayEdit: boolean }) {
  const { alertApi } = useServices();
  const now = useNow();
  const found = usePolled({ key: 'deadman', fetch: (signal) => alertApi.deadman(signal), nextMs: () => DEADMAN_MS });
  const [saved, setSaved] = useState<Deadman | null>(null);
  const known = saved && (found.value?.version ?? 0) <= saved.version && found.value?.last_at == null ? saved : found.value;
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const [words, setWords] = useState('');

  const save = async (url: string, interval: string) => {
    const interval_s = readDuration(interval);
    setWords('');
    setWrong(null);
    if (interval_s === null) return setWrong({ field: 'interval_s', words: `${interval.trim()} is not a duration such as 60 s or 5 min.` });
    setBusy(true);
    try {
      setSaved(await alertApi.setDeadman(known?.version ?? 0, url.trim() === '' ? null : url.trim(), interval_s));
      setWords('Saved.');
      found.retry();
    } catch (error) {
      const field = error instanceof ApiError ? error.field : null;
      setWrong({ field, words: besideField(failureSentence(error), field) });
      if (error instanceof ApiError && error.status === 409) found.retry();
    } finally {
      setBusy(false);
    }
  };
  if (!known) {
    if (found.failure !== null) return <InlineFailure what="The dead-man's switch could not be loaded" failure={found.failure} onRetry={found.retry} />;
    return <Skeleton className="card skeleton-card" />;
  }
  return <DeadmanForm key={known.version} deadman={known} now={now} mayEdit={mayEdit} busy={busy} wrong={wrong} words={words} onSave={(url, interval) => void save(url, interval)} />;
}
