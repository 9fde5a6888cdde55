// The settings of the fleet, or of one host: fetched once, edited as text, sent whole.
import { useState } from 'react';
import type { StoredSettings, TakenSettings } from '../io/contract-agent';
import { ApiError } from '../io/http';
import { failureSentence } from '../logic/format';
import { draftOf, settingsOf } from '../logic/settings-form';
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { SettingsForm, type Outcome } from '../views/SettingsForm';
import { usePolled } from './hooks';
import { useServices } from './services';

/** `host` is null for the fleet. */
export function SettingsPanel({ host }: { host: string | null }) {
  const { api } = useServices();
  const stored = usePolled({ key: host ?? '*', fetch: (signal) => api.settings(host, signal), nextMs: () => null });
  if (stored.value) return <Editor key={host ?? '*'} host={host} stored={stored.value} />;
  if (stored.failure !== null) return <InlineFailure what="The settings could not be loaded" failure={stored.failure} onRetry={stored.retry} />;
  return (
    <>
      <LoadingWords>Loading the settings</LoadingWords>
      <Skeleton className="card skeleton-chart" />
    </>
  );
}

function Editor({ host, stored }: { host: string | null; stored: StoredSettings }) {
  const { api } = useServices();
  const [draft, setDraft] = useState(() => draftOf(stored.settings));
  const [saved, setSaved] = useState(stored);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [busy, setBusy] = useState(false);

  const save = async () => {
    const reading = settingsOf(draft);
    if ('reason' in reading) return setOutcome({ good: false, field: reading.field, words: `${reading.reason}.` });
    setBusy(true);
    try {
      const taken = await api.setSettings(host, reading.settings);
      setSaved(taken);
      setDraft(draftOf(taken.settings));
      setOutcome({ good: true, field: null, words: takenWords(host, taken) });
    } catch (error) {
      // A sentence that begins with a field's name keeps the name as it is spelled.
      const field = error instanceof ApiError ? error.field : null;
      setOutcome({ good: false, field, words: field === null || !(error instanceof Error) ? failureSentence(error) : `${error.message}.` });
    } finally {
      setBusy(false);
    }
  };
  return (
    <SettingsForm
      scope={host === null ? 'fleet' : 'host'}
      draft={draft}
      saved={saved}
      outcome={outcome}
      busy={busy}
      onDraft={(next) => {
        setDraft(next);
        setOutcome(null);
      }}
      onSave={() => void save()}
    />
  );
}

function takenWords(host: string | null, taken: TakenSettings): string {
  const version = `Saved as version ${taken.version}.`;
  if (host === null) return `${version} Agents that are online take it now, the others when they are back.`;
  if (taken.applied?.refused) return `${version} The agent refused it: ${taken.applied.refused.reason}.`;
  if (taken.applied) {
    const pinned = taken.applied.pinned.length > 0 ? ` Pinned by the host and left as they are: ${taken.applied.pinned.join(', ')}.` : '';
    return `${version} The agent has applied it.${pinned}`;
  }
  return `${version} It is applied when the agent is back: ${taken.trouble ?? 'it could not be asked'}.`;
}
