// Silences and maintenance windows: those in force, to come and over; a form for a new one. What is
// shown is kept in the address.
import { useState } from 'react';
import { useSearchParams } from 'wouter';
import type { Silence } from '../io/contract-channels';
import { ApiError } from '../io/http';
import { failureSentence } from '../logic/format';
import { mayGovern } from '../logic/host-tabs';
import { besideField } from '../logic/rule-form';
import { NEW_SILENCE, scopeWords, SILENCE_STATES, silenceOf, stateOf, type SilenceForm, type SilenceState } from '../logic/silences';
import { AlertTabs, OutcomeWords, type OutcomeLine } from '../views/AlertParts';
import { ConfirmDialog } from '../views/ConfirmDialog';
import type { Wrong } from '../views/form-parts';
import { MutedIcon, PlusIcon } from '../views/icons';
import { InlineFailure, LoadingWords, Notice, Skeleton } from '../views/parts';
import { SilenceFormView } from '../views/SilenceFormView';
import { SilenceList } from '../views/SilenceList';
import { useNow, useRole, useStore, useTitle } from './hooks';
import { useServices } from './services';
import { useRules } from './use-alerts';
import { useSilences } from './use-silences';

export function SilencesPage() {
  useTitle('Silences');
  const [query, setQuery] = useSearchParams();
  const state = SILENCE_STATES.find(([one]) => one === query.get('state'))?.[0] ?? 'active';
  const now = useNow();
  const silences = useSilences(state, now);
  const mayEdit = mayGovern(useRole());
  const [adding, setAdding] = useState(false);
  const [outcome, setOutcome] = useState<OutcomeLine | null>(null);
  const show = (next: SilenceState) => setQuery(next === 'active' ? {} : { state: next }, { replace: true });
  return (
    <div className="host">
      <div className="alerts-head">
        <h1 className="page-title">Silences</h1>
        {mayEdit && !adding && (
          <button type="button" className="button button-primary" onClick={() => (setAdding(true), setOutcome(null))}>
            <PlusIcon />
            New silence
          </button>
        )}
      </div>
      <AlertTabs current="/alerts/silences" />
      {adding && (
        <NewSilence
          onClose={() => setAdding(false)}
          onAdded={(made) => {
            setAdding(false);
            setOutcome({ good: true, words: 'The silence was made.' });
            show(stateOf(made, now));
            silences.retry();
          }}
        />
      )}
      <OutcomeWords outcome={outcome} />
      <div className="panel-bar">
        <div className="segmented" role="group" aria-label="Show silences">
          {SILENCE_STATES.map(([one, words]) => (
            <button key={one} type="button" aria-pressed={one === state} onClick={() => show(one)}>
              {words}
              <Count number={silences.counts[one]} />
            </button>
          ))}
        </div>
      </div>
      {silences.failure !== null && <InlineFailure what="The silences could not be loaded" failure={silences.failure} onRetry={silences.retry} />}
      {silences.loading && (
        <>
          <LoadingWords>Loading the silences</LoadingWords>
          <Skeleton className="card skeleton-chart" />
        </>
      )}
      {silences.items && <Listed silences={silences.items} state={state} now={now} mayEdit={mayEdit} onEnded={silences.retry} onOutcome={setOutcome} />}
      {silences.more && (
        <button type="button" className="button panel-more" onClick={silences.more} disabled={silences.moreBusy}>
          Show older
        </button>
      )}
    </div>
  );
}

function Count({ number }: { number: number | null }) {
  return number === null ? null : <span className="segmented-count">{number}</span>;
}

const NONE_WORDS: Record<SilenceState, string> = { active: 'Nothing is silenced now', coming: 'No silence is to come', ended: 'No silence has ended yet' };

interface ListedProps {
  silences: readonly Silence[];
  state: SilenceState;
  now: number;
  mayEdit: boolean;
  onEnded(): void;
  onOutcome(outcome: OutcomeLine): void;
}

function Listed({ silences, state, now, mayEdit, onEnded, onOutcome }: ListedProps) {
  const { alertApi } = useServices();
  const rules = useRules();
  const [asked, setAsked] = useState<Silence | null>(null);
  const name = (id: number) => rules.value?.find((rule) => rule.id === id)?.definition.name ?? `rule ${id}`;
  const end = async (silence: Silence) => {
    setAsked(null);
    try {
      await alertApi.endSilence(silence.id);
      onOutcome({ good: true, words: 'The silence was ended. What is still breached is paged now.' });
    } catch (error) {
      onOutcome({ good: false, words: failureSentence(error) });
    }
    onEnded();
  };
  if (silences.length === 0) {
    return (
      <Notice icon={<MutedIcon />} title={NONE_WORDS[state]}>
        <p>A silence keeps pages back, once or at times that recur, for hosts and rules of your choice. Tickets are opened all the same.</p>
      </Notice>
    );
  }
  return (
    <>
      <SilenceList silences={silences} now={now} ruleName={name} onEnd={mayEdit && state !== 'ended' ? setAsked : null} />
      {asked && (
        <ConfirmDialog title="End this silence?" action="End it" tone="plain" onConfirm={() => void end(asked)} onClose={() => setAsked(null)}>
          <p>It silences {scopeWords(asked, name)}. What is breached then is paged at once.</p>
        </ConfirmDialog>
      )}
    </>
  );
}

function NewSilence({ onClose, onAdded }: { onClose(): void; onAdded(made: Silence): void }) {
  const { alertApi, clock, fleet } = useServices();
  const { hosts } = useStore(fleet.settled);
  const rules = useRules();
  const [form, setForm] = useState<SilenceForm>(() => ({ ...NEW_SILENCE, zone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC' }));
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const [busy, setBusy] = useState(false);
  const save = async () => {
    const reading = silenceOf(form, clock.now());
    if ('reason' in reading) return setWrong({ field: reading.field, words: `${reading.reason}.` });
    setBusy(true);
    try {
      onAdded(await alertApi.addSilence(reading.draft));
    } catch (error) {
      const field = error instanceof ApiError ? error.field : null;
      setWrong({ field, words: field === null ? failureSentence(error) : besideField(failureSentence(error), field) });
      setBusy(false);
    }
  };
  return (
    <SilenceFormView
      form={form}
      wrong={wrong}
      busy={busy}
      hosts={[...hosts.values()]}
      rules={(rules.value ?? []).map(({ id, definition }) => [String(id), definition.name])}
      onForm={(next) => (setForm(next), setWrong(null))}
      onSave={() => void save()}
      onClose={onClose}
    />
  );
}
