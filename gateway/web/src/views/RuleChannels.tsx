// Who is told of what a rule finds, and who next where nobody answers.
import { Link } from 'wouter';
import type { Channel } from '../io/contract-channels';
import { withStep, type RuleDraft, type StepDraft } from '../logic/rule-form';
import { FormField, isAbout, type Wrong } from './form-parts';
import { CrossIcon } from './icons';

export interface ChannelChoiceProps {
  /** Its name in the request. */
  name: string;
  words: string;
  /** What holds where none is chosen; nothing where one has to be. */
  empty: string;
  channels: readonly Channel[];
  chosen: readonly number[];
  wrong: Wrong | null;
  onChange(chosen: readonly number[]): void;
}

export function ChannelChoice({ name, words, empty, channels, chosen, wrong, onChange }: ChannelChoiceProps) {
  const bad = isAbout(wrong, name);
  const known = new Set(channels.map(({ id }) => id));
  const toggle = (id: number) => onChange(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  return (
    <div className="channel-choice" role="group" aria-label={words} data-field={name}>
      <span className="form-label">{words}</span>
      {channels.map(({ id, name: called, enabled }) => (
        <button key={id} type="button" className="chip" aria-pressed={chosen.includes(id)} onClick={() => toggle(id)} title={enabled ? undefined : 'This channel is off'}>
          {called}
          {!enabled && ' (off)'}
        </button>
      ))}
      {chosen.filter((id) => !known.has(id)).map((id) => (
        <button key={id} type="button" className="chip" aria-pressed="true" onClick={() => toggle(id)}>
          channel {id}
        </button>
      ))}
      {channels.length === 0 && (
        <span className="settings-hint">
          There is no channel yet:{' '}
          <Link className="text-link" href="/alerts/channels">
            make one
          </Link>
        </span>
      )}
      {channels.length > 0 && chosen.length === 0 && <span className="settings-hint">{empty}</span>}
      {bad && (
        <span className="field-error" role="alert">
          {wrong?.words}
        </span>
      )}
    </div>
  );
}

/** As many as the gateway takes. */
const STEPS_MAX = 5;

export interface EscalationProps {
  draft: RuleDraft;
  channels: readonly Channel[];
  wrong: Wrong | null;
  onDraft(draft: RuleDraft): void;
}

export function Escalation({ draft, channels, wrong, onDraft }: EscalationProps) {
  const steps = draft.escalation;
  const change = (changed: StepDraft) => onDraft({ ...draft, escalation: steps.map((step) => (step.id === changed.id ? changed : step)) });
  return (
    <>
      {steps.map((step, index) => (
        <div key={step.id} className="escalation-step" role="group" aria-label={`Step ${index + 1}`}>
          <FormField label="If nobody has acknowledged after" name={`escalation[${index}].after_s`} wrong={wrong}>
            {(aria) => <input {...aria} value={step.after} onChange={(event) => change({ ...step, after: event.target.value })} />}
          </FormField>
          <ChannelChoice name={`escalation[${index}].channels`} words="tell" empty="choose one or more" channels={channels} chosen={step.channels} wrong={wrong} onChange={(chosen) => change({ ...step, channels: chosen })} />
          <button type="button" className="button-icon" aria-label="Remove this step" title="Remove this step" onClick={() => onDraft({ ...draft, escalation: steps.filter((one) => one.id !== step.id) })}>
            <CrossIcon />
          </button>
        </div>
      ))}
      {steps.length < STEPS_MAX && (
        <button type="button" className="button form-add" onClick={() => onDraft(withStep(draft))}>
          {steps.length === 0 ? 'Add an escalation' : 'Add a step'}
        </button>
      )}
    </>
  );
}
