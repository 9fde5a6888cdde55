// The form of a silence: what it keeps quiet, and when, once or at times that recur.
import type { Host } from '../io/contract';
import { WEEKDAYS } from '../io/contract-channels';
import { QUICK_LASTING, WEEKDAY_WORDS, type SilenceForm } from '../logic/silences';
import { FormField, isAbout, type Wrong } from './form-parts';
import { WarningIcon } from './icons';
import { SelectorField } from './SelectorField';

export interface SilenceFormViewProps {
  form: SilenceForm;
  wrong: Wrong | null;
  busy: boolean;
  hosts: readonly Host[];
  rules: readonly (readonly [id: string, name: string])[];
  onForm(form: SilenceForm): void;
  onSave(): void;
  onClose(): void;
}

const ZONES: readonly string[] = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];

export function SilenceFormView(props: SilenceFormViewProps) {
  const { form, wrong, busy, hosts, rules, onForm, onSave, onClose } = props;
  const set = (changes: Partial<SilenceForm>) => onForm({ ...form, ...changes });
  return (
    <form
      className="card settings-form"
      aria-label="New silence"
      onSubmit={(event) => {
        event.preventDefault();
        onSave();
      }}
    >
      <div className="form-row">
        <SelectorField selector={form.selector} hosts={hosts} wrong={wrong} example="role=web, !canary or id=db-1" ofNobody="Nothing would be silenced." onChange={(selector) => set({ selector })} />
        <FormField label="Rule" name="rule_id" wrong={wrong}>
          {(aria) => (
            <select {...aria} value={form.rule} onChange={(event) => set({ rule: event.target.value })}>
              <option value="">Every rule</option>
              {rules.map(([id, name]) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </FormField>
        <FormField label="Reason" name="reason" wrong={wrong} className="form-wide" hint="shown with the silence, for others">
          {(aria) => <input {...aria} value={form.reason} maxLength={1000} onChange={(event) => set({ reason: event.target.value })} />}
        </FormField>
      </div>
      <div className="segmented form-kinds" role="group" aria-label="How often">
        <button type="button" aria-pressed={form.kind === 'once'} onClick={() => set({ kind: 'once' })}>
          Once
        </button>
        <button type="button" aria-pressed={form.kind === 'recurring'} onClick={() => set({ kind: 'recurring' })}>
          Every week
        </button>
      </div>
      {form.kind === 'once' ? <Once {...props} onChange={set} /> : <Recurring {...props} onChange={set} />}
      <div className="settings-end">
        <button type="submit" className="button button-primary" disabled={busy}>
          {busy ? 'Saving…' : 'Silence'}
        </button>
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        {wrong && (
          <p className="settings-words bad" role="alert">
            <WarningIcon />
            {wrong.field === null ? wrong.words : 'One field is not right: see the marked one.'}
          </p>
        )}
      </div>
    </form>
  );
}

interface PartProps {
  form: SilenceForm;
  wrong: Wrong | null;
  onChange(changes: Partial<SilenceForm>): void;
}

function Once({ form, wrong, onChange }: PartProps) {
  return (
    <div className="form-row">
      <FormField label="From" name="starts_at" wrong={wrong} className="form-moment" hint="empty: now">
        {(aria) => <input {...aria} type="datetime-local" value={form.from} onChange={(event) => onChange({ from: event.target.value })} />}
      </FormField>
      <FormField label="For" name="lasting" wrong={null} hint={QUICK_LASTING.join(', ')}>
        {(aria) => <input {...aria} value={form.lasting} disabled={form.until !== ''} onChange={(event) => onChange({ lasting: event.target.value })} />}
      </FormField>
      <FormField label="Or until" name="ends_at" wrong={wrong} className="form-moment" hint="in this browser’s time zone">
        {(aria) => <input {...aria} type="datetime-local" value={form.until} onChange={(event) => onChange({ until: event.target.value })} />}
      </FormField>
    </div>
  );
}

function Recurring({ form, wrong, onChange }: PartProps) {
  const toggle = (day: (typeof WEEKDAYS)[number]) => onChange({ weekdays: form.weekdays.includes(day) ? form.weekdays.filter((one) => one !== day) : [...form.weekdays, day] });
  const bad = isAbout(wrong, 'recurrence.weekdays');
  return (
    <>
      <div className="channel-choice" role="group" aria-label="Weekdays">
        <span className="form-label">On</span>
        {WEEKDAYS.map((day) => (
          <button key={day} type="button" className="chip" aria-pressed={form.weekdays.includes(day)} onClick={() => toggle(day)}>
            {WEEKDAY_WORDS[day]}
          </button>
        ))}
        {bad && (
          <span className="field-error" role="alert">
            {wrong?.words}
          </span>
        )}
      </div>
      <div className="form-row">
        <FormField label="At" name="recurrence.time" wrong={wrong}>
          {(aria) => <input {...aria} type="time" value={form.time} onChange={(event) => onChange({ time: event.target.value })} />}
        </FormField>
        <FormField label="For" name="recurrence.duration_s" wrong={wrong} hint="at most 7 days">
          {(aria) => <input {...aria} value={form.window} onChange={(event) => onChange({ window: event.target.value })} />}
        </FormField>
        <FormField label="Time zone" name="recurrence.zone" wrong={wrong} hint="of the wall clock that is meant">
          {(aria) => <input {...aria} list="zones" value={form.zone} spellCheck={false} onChange={(event) => onChange({ zone: event.target.value })} />}
        </FormField>
        <datalist id="zones">
          {ZONES.map((zone) => (
            <option key={zone} value={zone}>
              {zone}
            </option>
          ))}
        </datalist>
        <FormField label="Until" name="ends_at" wrong={wrong} className="form-moment" hint="empty: for good">
          {(aria) => <input {...aria} type="datetime-local" value={form.until} onChange={(event) => onChange({ until: event.target.value })} />}
        </FormField>
      </div>
    </>
  );
}
