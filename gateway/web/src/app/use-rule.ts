// The work on one rule: a draft, its saving instead of the version that was read, a copy, its end; and
// what its form offers. Leaves out how it looks.
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import type { Channel } from '../io/contract-channels';
import type { AlertRule, RuleDefinition, RuleVersion, Vocabulary } from '../io/contract-rules';
import { ApiError } from '../io/http';
import { failureSentence } from '../logic/format';
import { besideField, draftOfRule, NEW_RULE, ruleField, ruleOf, type RuleDraft } from '../logic/rule-form';
import { unitIn, type Units } from '../logic/rule-words';
import type { OutcomeLine } from '../views/AlertParts';
import type { Wrong } from '../views/form-parts';
import { usePolled, type Polled } from './hooks';
import { useServices } from './services';

const NOTHING_OFFERED: Vocabulary = { metrics: [], template_fields: [] };
const NO_CHANNELS: readonly Channel[] = [];

/** What a form may offer: asked for once, and without it everything can still be typed. */
export function useVocabulary(): Vocabulary {
  const { alertApi } = useServices();
  return usePolled({ key: 'vocabulary', fetch: (signal) => alertApi.vocabulary(signal), nextMs: () => null }).value ?? NOTHING_OFFERED;
}

export function useUnits(): Units {
  const { metrics } = useVocabulary();
  return useMemo(() => new Map(metrics.map(({ name, unit }) => [name, unit])), [metrics]);
}

export function useChannelNames(): readonly Channel[] {
  const { alertApi } = useServices();
  return usePolled({ key: 'channels', fetch: (signal) => alertApi.channels(signal), nextMs: () => null }).value?.items ?? NO_CHANNELS;
}

export function useRuleVersions(rule: AlertRule): Polled<readonly RuleVersion[]> {
  const { alertApi } = useServices();
  return usePolled({ key: `${rule.id} ${rule.version}`, fetch: async (signal) => (await alertApi.ruleVersions(rule.id, signal)).items, nextMs: () => null, keepPrevious: true });
}

export interface RuleWork {
  draft: RuleDraft;
  changed: boolean;
  busy: boolean;
  wrong: Wrong | null;
  outcome: OutcomeLine | null;
  /** Somebody else has changed the rule meanwhile. */
  outdated: boolean;
  edit(draft: RuleDraft): void;
  takeBack(): void;
  /** An earlier version becomes the draft. */
  bringBack(definition: RuleDefinition): void;
  save(): void;
  clone(): void;
  remove(): void;
  readAnew(): void;
  /** The draft as the gateway takes it, or null after it was said what cannot be read. */
  read(): object | null;
  refused(error: unknown): void;
}

/** The field that the gateway has refused, if it was one. */
function mistakeOf(error: unknown): Wrong | null {
  if (!(error instanceof ApiError)) return null;
  const field = ruleField(error.field);
  return field === null ? null : { field, words: besideField(failureSentence(error), error.field) };
}

interface Attempts {
  busy: boolean;
  wrong: Wrong | null;
  outcome: OutcomeLine | null;
  outdated: boolean;
  attempt(work: () => Promise<unknown>): Promise<void>;
  refused(error: unknown): void;
  say(outcome: OutcomeLine | null, wrong: Wrong | null): void;
}

/** What became of the last attempt to change something. */
function useAttempts(): Attempts {
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const [outcome, setOutcome] = useState<OutcomeLine | null>(null);
  const [outdated, setOutdated] = useState(false);
  const say = (words: OutcomeLine | null, mistake: Wrong | null) => {
    setOutcome(words);
    setWrong(mistake);
  };
  const refused = (error: unknown) => {
    const mistake = mistakeOf(error);
    say({ good: false, words: mistake === null ? failureSentence(error) : 'It was not taken: see the marked field.' }, mistake);
    setOutdated(error instanceof ApiError && error.status === 409);
  };
  const attempt = async (work: () => Promise<unknown>) => {
    setBusy(true);
    say(null, null);
    setOutdated(false);
    try {
      await work();
    } catch (error) {
      refused(error);
    } finally {
      setBusy(false);
    }
  };
  return { busy, wrong, outcome, outdated, attempt, refused, say };
}

/** All of a draft that is shown. */
function shownOf(draft: RuleDraft): string {
  return JSON.stringify({ ...draft, nextId: 0 });
}

/** `rule` is null for a new one. */
export function useRule(rule: AlertRule | null, units: Units, onSaved: (rule: AlertRule) => void): RuleWork {
  const { alertApi } = useServices();
  const [, navigate] = useLocation();
  const unitOf = (metric: string) => unitIn(units, metric);
  const stored = () => (rule === null ? NEW_RULE : draftOfRule(rule.definition, unitOf));
  const [draft, setDraft] = useState(stored);
  const { busy, wrong, outcome, outdated, attempt, refused, say } = useAttempts();

  const edit = (next: RuleDraft) => {
    setDraft(next);
    say(null, null);
  };
  const read = (): object | null => {
    const reading = ruleOf(draft, unitOf);
    if ('definition' in reading) return reading.definition;
    say({ good: false, words: 'One field cannot be read: see the marked one.' }, { field: reading.field, words: `${reading.reason}.` });
    return null;
  };
  const took = (taken: AlertRule, words: string) => {
    onSaved(taken);
    setDraft(draftOfRule(taken.definition, unitOf));
    say({ good: true, words }, null);
  };
  const save = () => {
    const definition = read();
    if (definition === null) return;
    void attempt(async () => {
      if (rule === null) navigate(`/alerts/rules/${(await alertApi.addRule(definition)).id}`);
      else took(await alertApi.setRule(rule.id, rule.version, definition), 'Saved. It holds from now on.');
    });
  };
  return {
    draft,
    changed: shownOf(draft) !== shownOf(stored()),
    busy,
    wrong,
    outcome,
    outdated,
    edit,
    takeBack: () => edit(stored()),
    bringBack: (definition) => edit(draftOfRule(definition, unitOf)),
    save,
    clone: () => void attempt(async () => rule && navigate(`/alerts/rules/${(await alertApi.cloneRule(rule.id)).id}`)),
    remove: () => void attempt(async () => rule && (await alertApi.removeRule(rule.id, rule.version), navigate('/alerts/rules'))),
    readAnew: () => void attempt(async () => rule && took(await alertApi.rule(rule.id), 'This is the rule as it holds now.')),
    read,
    refused,
  };
}
