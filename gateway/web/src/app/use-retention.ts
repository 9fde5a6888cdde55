// The work of changing the retention: a draft, its dry run, and only then the saving of exactly what
// the dry run was about. Leaves out how it looks.
import { useState } from 'react';
import type { Plan, Retention, Rule } from '../io/contract-storage';
import { ApiError } from '../io/http';
import { failureSentence } from '../logic/format';
import { draftOf, formField, rulesOf, type RetentionDraft } from '../logic/retention-form';
import { useServices } from './services';

export interface Outcome {
  good: boolean;
  /** The field of the form that was wrong. */
  field: string | null;
  words: string;
  /** Somebody else has set other rules: these cannot be saved until those are read. */
  outdated?: boolean;
}

export interface Tried {
  rules: Rule[];
  plan: Plan;
}

export interface RetentionWork {
  saved: Retention;
  draft: RetentionDraft;
  changed: boolean;
  /** The dry run of the draft as it is; null before one, and after each change. */
  tried: Tried | null;
  outcome: Outcome | null;
  busy: boolean;
  edit(draft: RetentionDraft): void;
  takeBack(): void;
  tryOut(): void;
  goOn(): void;
  save(tried: Tried): void;
  /** Takes what is stored now; the draft is lost. */
  readAnew(): void;
}

export function useRetention(stored: Retention, onSaved: (saved: Retention) => void): RetentionWork {
  const { api } = useServices();
  const [saved, setSaved] = useState(stored);
  const [draft, setDraft] = useState(() => draftOf(stored));
  const [tried, setTried] = useState<Tried | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [busy, setBusy] = useState(false);

  const edit = (next: RetentionDraft) => {
    setDraft(next);
    setTried(null);
    setOutcome(null);
  };
  const attempt = async (work: () => Promise<void>, fields: readonly string[]) => {
    setBusy(true);
    setOutcome(null);
    try {
      await work();
    } catch (error) {
      setOutcome(refusal(error, fields));
    } finally {
      setBusy(false);
    }
  };
  const tryOut = () => {
    const reading = rulesOf(draft);
    if ('reason' in reading) return setOutcome({ good: false, field: reading.field, words: `${reading.reason}.` });
    const { rules, fields } = reading;
    void attempt(async () => setTried({ rules, plan: await api.planRetention(rules) }), fields);
  };
  const take = (taken: Retention, words: string) => {
    setSaved(taken);
    edit(draftOf(taken));
    setOutcome({ good: true, field: null, words });
    onSaved(taken);
  };
  const keep = async ({ rules }: Tried) => take(await api.setRetention(rules, saved.version), 'Saved. The workers heed it within a minute.');
  const readAnew = async () => take(await api.retention(), 'These are the rules that hold now.');
  return {
    saved,
    draft,
    changed: JSON.stringify(rulesOf(draft)) !== JSON.stringify(rulesOf(draftOf(saved))),
    tried,
    outcome,
    busy,
    edit,
    takeBack: () => edit(draftOf(saved)),
    tryOut,
    goOn: () => setTried(null),
    save: (chosen) => void attempt(() => keep(chosen), []),
    readAnew: () => void attempt(readAnew, []),
  };
}

function refusal(error: unknown, fields: readonly string[]): Outcome {
  if (error instanceof ApiError && error.status === 409) return { good: false, field: null, words: failureSentence(error), outdated: true };
  const field = error instanceof ApiError ? formField(error.field, fields) : null;
  // The form has no field called rules[2].label, but a marked one.
  const words = failureSentence(error).replace(/^Rules\[\d+\]\.\w+ is/, 'It is');
  return { good: false, field, words };
}
