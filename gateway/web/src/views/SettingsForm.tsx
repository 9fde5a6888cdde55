// The form of settings. An empty field says nothing: the fleet's value, or the host's own file, holds.
import type { StoredSettings } from '../io/contract-agent';
import { moment } from '../logic/format';
import { COLLECTORS, type SettingsDraft, type Switch } from '../logic/settings-form';
import { CheckIcon, WarningIcon } from './icons';

export interface Outcome {
  good: boolean;
  /** Which field was wrong. */
  field: string | null;
  words: string;
}

export interface SettingsFormProps {
  scope: 'fleet' | 'host';
  draft: SettingsDraft;
  saved: StoredSettings;
  outcome: Outcome | null;
  busy: boolean;
  onDraft(draft: SettingsDraft): void;
  onSave(): void;
}

type TextKey = Exclude<keyof SettingsDraft, 'collectors'>;

interface FieldSpec {
  key: TextKey;
  field: string;
  words: string;
  hint: string;
  rows?: number;
}

const FIELDS: readonly FieldSpec[] = [
  { key: 'sample', field: 'sample_interval_ms', words: 'Sample every (seconds)', hint: '1 to 3600' },
  { key: 'publish', field: 'publish_interval_ms', words: 'Publish every (seconds)', hint: 'at least as long as sampling' },
  { key: 'heartbeat', field: 'heartbeat_interval_ms', words: 'Heartbeat every (seconds)', hint: '1 to 3600' },
  { key: 'location', field: 'location', words: 'Location', hint: 'data centre, rack, room' },
  { key: 'logPaths', field: 'log_paths', words: 'Log files to follow', hint: 'absolute paths or globs, one a line', rows: 4 },
  { key: 'labels', field: 'labels', words: 'Labels', hint: 'name=value, one a line', rows: 4 },
  { key: 'masks', field: 'mask_arguments', words: 'Masked arguments', hint: 'regular expressions, one a line; what they match in command lines becomes ***', rows: 4 },
];

export function SettingsForm(props: SettingsFormProps) {
  const { scope, draft, saved, outcome, busy, onDraft, onSave } = props;
  return (
    <form
      className="card settings-form"
      aria-label={scope === 'fleet' ? 'Settings of the fleet' : 'Settings of the host'}
      onSubmit={(event) => {
        event.preventDefault();
        onSave();
      }}
    >
      <p className="settings-intro">
        {scope === 'fleet' ? 'These hold for all hosts. An empty field leaves the value to each host’s own file.' : 'These hold for this host alone. An empty field leaves the value to the fleet’s settings.'} What a host’s own file pins stays as it is there.
      </p>
      <div className="settings-fields">
        {FIELDS.map((spec) => (
          <Field key={spec.key} spec={spec} value={draft[spec.key]} wrong={outcome?.field?.startsWith(spec.field) ?? false} onChange={(value) => onDraft({ ...draft, [spec.key]: value })} />
        ))}
      </div>
      <Collectors chosen={draft.collectors} onChange={(collectors) => onDraft({ ...draft, collectors })} />
      <div className="settings-end">
        <button className="button button-primary" type="submit" disabled={busy}>
          {busy ? 'Saving…' : 'Save'}
        </button>
        {outcome ? <Words outcome={outcome} /> : <p className="quiet">{savedWords(saved)}</p>}
      </div>
    </form>
  );
}

function savedWords({ version, updated_at, updated_by }: StoredSettings): string {
  return updated_at === null ? 'Nothing has been set yet.' : `Version ${version}, set by ${updated_by ?? 'somebody'} on ${moment(updated_at)}.`;
}

function Words({ outcome }: { outcome: Outcome }) {
  return (
    <p className={outcome.good ? 'settings-words good' : 'settings-words bad'} role={outcome.good ? 'status' : 'alert'} data-testid="settings-outcome">
      {outcome.good ? <CheckIcon /> : <WarningIcon />}
      {outcome.words}
    </p>
  );
}

interface FieldProps {
  spec: FieldSpec;
  value: string;
  wrong: boolean;
  onChange(value: string): void;
}

function Field({ spec, value, wrong, onChange }: FieldProps) {
  const hint = `hint-${spec.key}`;
  return (
    <label className={spec.rows ? 'settings-field settings-wide' : 'settings-field'}>
      {spec.words}
      {spec.rows ? (
        <textarea rows={spec.rows} value={value} spellCheck={false} aria-invalid={wrong} aria-describedby={hint} onChange={(event) => onChange(event.target.value)} />
      ) : (
        <input value={value} aria-invalid={wrong} aria-describedby={hint} onChange={(event) => onChange(event.target.value)} />
      )}
      <span className="settings-hint" id={hint}>
        {spec.hint}
      </span>
    </label>
  );
}

const CHOICES: readonly [Switch, string][] = [
  ['default', 'Default'],
  ['on', 'On'],
  ['off', 'Off'],
];

function Collectors({ chosen, onChange }: { chosen: Record<string, Switch>; onChange(chosen: Record<string, Switch>): void }) {
  return (
    <fieldset className="settings-collectors">
      <legend>Collectors</legend>
      {COLLECTORS.map((name) => (
        <label key={name}>
          <span>{name.replace('_', ' ')}</span>
          <select value={chosen[name] ?? 'default'} onChange={(event) => onChange({ ...chosen, [name]: event.target.value as Switch })}>
            {CHOICES.map(([choice, words]) => (
              <option key={choice} value={choice}>
                {words}
              </option>
            ))}
          </select>
        </label>
      ))}
    </fieldset>
  );
}
