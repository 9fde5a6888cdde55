// The form of a rule: what is a breach, how long, how bad, where, what is said and who is told.
import type { ReactNode } from 'react';
import type { Host } from '../io/contract';
import { PRIORITIES } from '../io/contract-alerts';
import type { Channel } from '../io/contract-channels';
import type { Vocabulary } from '../io/contract-rules';
import { PRIORITY_WORDS } from '../logic/alerts';
import { defaultChannelsWords } from '../logic/channels';
import type { RuleDraft } from '../logic/rule-form';
import type { Units } from '../logic/rule-words';
import { CheckIcon, WarningIcon } from './icons';
import { ConditionFields } from './ConditionFields';
import { FormField, Switch, type Wrong } from './form-parts';
import { ChannelChoice, Escalation } from './RuleChannels';
import { SelectorField } from './SelectorField';
import { TemplateFields } from './TemplateFields';

export interface RuleFormProps {
  draft: RuleDraft;
  wrong: Wrong | null;
  vocabulary: Vocabulary;
  units: Units;
  channels: readonly Channel[];
  hosts: readonly Host[];
  onDraft(draft: RuleDraft): void;
  onSave(): void;
  /** The end of the form: its buttons. */
  children: ReactNode;
}

export function RuleForm(props: RuleFormProps) {
  const { draft, wrong, vocabulary, channels, hosts, onDraft, onSave, children } = props;
  const set = (changes: Partial<RuleDraft>) => onDraft({ ...draft, ...changes });
  return (
    <form
      className="card settings-form rule-form"
      aria-label="Rule"
      onSubmit={(event) => {
        event.preventDefault();
        onSave();
      }}
    >
      <div className="form-row">
        <FormField label="Name" name="name" wrong={wrong} className="form-wide">
          {(aria) => <input {...aria} value={draft.name} maxLength={200} onChange={(event) => set({ name: event.target.value })} />}
        </FormField>
        <FormField label="Priority" name="priority" wrong={wrong}>
          {(aria) => (
            <select {...aria} value={draft.priority} onChange={(event) => set({ priority: event.target.value as RuleDraft['priority'] })}>
              {PRIORITIES.map((priority) => (
                <option key={priority} value={priority}>
                  {PRIORITY_WORDS[priority]}
                </option>
              ))}
            </select>
          )}
        </FormField>
        <div className="form-field form-switch">
          <Switch label={draft.enabled ? 'On' : 'Off'} on={draft.enabled} onChange={(enabled) => set({ enabled })} />
        </div>
      </div>
      <ConditionFields {...props} onChange={set} />
      <div className="form-row">
        <FormField label="Lasting" name="for_s" wrong={wrong} hint="how long before it fires: 0, 90 s, 5 min, 1 h 30 min">
          {(aria) => <input {...aria} value={draft.lasting} onChange={(event) => set({ lasting: event.target.value })} />}
        </FormField>
        <FormField label="Cooldown" name="cooldown_s" wrong={wrong} hint="after its end, a new breach opens nothing for so long">
          {(aria) => <input {...aria} value={draft.cooldown} onChange={(event) => set({ cooldown: event.target.value })} />}
        </FormField>
        <SelectorField selector={draft.selector} hosts={hosts} wrong={wrong} example="role=web|db, env!=test, !canary, id=web-*" ofNobody="The rule would never fire." onChange={(selector) => set({ selector })} />
      </div>
      <TemplateFields draft={draft} wrong={wrong} fields={vocabulary.template_fields} onChange={set} />
      <fieldset className="form-part">
        <legend>Notify</legend>
        <ChannelChoice name="channels" words="When it fires" empty={defaultChannelsWords(channels)} channels={channels} chosen={draft.channels} wrong={wrong} onChange={(chosen) => set({ channels: chosen })} />
        <Escalation draft={draft} channels={channels} wrong={wrong} onDraft={onDraft} />
      </fieldset>
      {children}
    </form>
  );
}

export interface RuleEndWork {
  busy: boolean;
  changed: boolean;
  outdated: boolean;
  outcome: { good: boolean; words: string } | null;
  takeBack(): void;
  readAnew(): void;
}

export function RuleEnd({ work: { busy, changed, outdated, outcome, takeBack, readAnew }, isNew }: { work: RuleEndWork; isNew: boolean }) {
  return (
    <div className="settings-end form-end">
      <button type="submit" className="button button-primary" disabled={busy || (!changed && !isNew)}>
        {busy ? 'Saving…' : isNew ? 'Create rule' : 'Save'}
      </button>
      {changed && (
        <button type="button" className="button" disabled={busy} onClick={takeBack}>
          Take back
        </button>
      )}
      {outcome && (
        <p className={outcome.good ? 'settings-words good' : 'settings-words bad'} role={outcome.good ? 'status' : 'alert'} data-testid="rule-outcome">
          {outcome.good ? <CheckIcon /> : <WarningIcon />}
          {outcome.words}
        </p>
      )}
      {outdated && (
        <>
          <button type="button" className="button" disabled={busy} onClick={readAnew}>
            Read the rule anew
          </button>
          <span className="settings-hint">Your changes are lost with that.</span>
        </>
      )}
    </div>
  );
}
