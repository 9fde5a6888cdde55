// The form of a channel: its kind, its name, and the fields of the kind. A secret is typed once and
// never shown again.
import { CHANNEL_KINDS, kindSpec, type FieldSpec } from '../logic/channel-kinds';
import type { ChannelForm, SecretDraft, SecretSource } from '../logic/channels';
import { FormField, isAbout, Switch, type Wrong } from './form-parts';
import { WarningIcon } from './icons';

export interface ChannelFormViewProps {
  form: ChannelForm;
  isNew: boolean;
  wrong: Wrong | null;
  busy: boolean;
  onForm(form: ChannelForm): void;
  onKind(kind: string): void;
  onSave(): void;
  onClose(): void;
}

export function ChannelFormView({ form, isNew, wrong, busy, onForm, onKind, onSave, onClose }: ChannelFormViewProps) {
  const { fields } = kindSpec(form.kind);
  const marked = wrong !== null && ['name', 'kind', 'per_minute', ...fields.map(({ name }) => name)].some((name) => isAbout(wrong, name));
  return (
    <form
      className="card settings-form"
      aria-label={isNew ? 'New channel' : `Channel ${form.name}`}
      onSubmit={(event) => {
        event.preventDefault();
        onSave();
      }}
    >
      <div className="form-row">
        <FormField label="Kind" name="kind" wrong={wrong}>
          {(aria) => (
            <select {...aria} value={form.kind} disabled={!isNew} onChange={(event) => onKind(event.target.value)}>
              {CHANNEL_KINDS.map(({ kind, words }) => (
                <option key={kind} value={kind}>
                  {words}
                </option>
              ))}
            </select>
          )}
        </FormField>
        <FormField label="Name" name="name" wrong={wrong} className="form-wide">
          {(aria) => <input {...aria} value={form.name} placeholder="On call" onChange={(event) => onForm({ ...form, name: event.target.value })} />}
        </FormField>
        <FormField label="Limit per minute" name="per_minute" wrong={wrong} hint="more are delayed; empty: 30">
          {(aria) => <input {...aria} inputMode="numeric" value={form.perMinute} placeholder="30" onChange={(event) => onForm({ ...form, perMinute: event.target.value })} />}
        </FormField>
      </div>
      <div className="form-pairs">
        {fields.map((spec) => (
          <Field key={spec.name} spec={spec} form={form} wrong={wrong} onForm={onForm} />
        ))}
      </div>
      <div className="channel-switches">
        <Switch label="Default: used by rules that name no channel" on={form.isDefault} onChange={(isDefault) => onForm({ ...form, isDefault })} />
        <Switch label="Enabled" on={form.enabled} onChange={(enabled) => onForm({ ...form, enabled })} />
      </div>
      <div className="settings-end">
        <button type="submit" className="button button-primary" disabled={busy}>
          {busy ? 'Saving…' : 'Save'}
        </button>
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        {wrong && (
          <p className="settings-words bad" role="alert">
            <WarningIcon />
            {marked ? 'One field is not right: see the marked one.' : wrong.words}
          </p>
        )}
      </div>
    </form>
  );
}

interface FieldProps {
  spec: FieldSpec;
  form: ChannelForm;
  wrong: Wrong | null;
  onForm(form: ChannelForm): void;
}

function Field({ spec, form, wrong, onForm }: FieldProps) {
  const { name, words, type, hint, placeholder, choices, optional } = spec;
  if (type === 'secret' || type === 'address') {
    const draft = form.secrets[name] ?? { source: 'none', text: '' };
    return <SecretField spec={spec} draft={draft} wrong={wrong} onDraft={(next) => onForm({ ...form, secrets: { ...form.secrets, [name]: next } })} />;
  }
  const value = form.texts[name] ?? '';
  const change = (text: string) => onForm({ ...form, texts: { ...form.texts, [name]: text } });
  const isLong = type === 'lines' || type === 'headers' || type === 'template';
  return (
    <FormField label={optional ? `${words} (optional)` : words} name={name} wrong={wrong} hint={hint} className={type === 'template' ? 'form-full' : ''}>
      {(aria) =>
        choices ? (
          <select {...aria} value={value} onChange={(event) => change(event.target.value)}>
            {choices.map(([choice, called]) => (
              <option key={choice} value={choice}>
                {called}
              </option>
            ))}
          </select>
        ) : isLong ? (
          <textarea {...aria} rows={type === 'template' ? 6 : 3} value={value} placeholder={placeholder} spellCheck={false} onChange={(event) => change(event.target.value)} />
        ) : (
          <input {...aria} value={value} inputMode={type === 'number' ? 'numeric' : undefined} placeholder={placeholder} spellCheck={false} autoCapitalize="off" onChange={(event) => change(event.target.value)} />
        )
      }
    </FormField>
  );
}

const SOURCE_WORDS: Record<SecretSource, string> = { keep: 'Leave it as it is', value: 'Type it', env: 'From the environment', none: 'None', plain: 'Not secret' };

interface SecretFieldProps {
  spec: FieldSpec;
  draft: SecretDraft;
  wrong: Wrong | null;
  onDraft(draft: SecretDraft): void;
}

function SecretField({ spec, draft, wrong, onDraft }: SecretFieldProps) {
  const { name, words, type, hint, placeholder, optional } = spec;
  const sources: SecretSource[] = [...(type === 'address' ? (['plain'] as const) : []), 'value', 'env', ...(optional ? (['none'] as const) : []), ...(draft.source === 'keep' || draft.text === '' ? (['keep'] as const) : [])];
  const shown = [...new Set(sources)].filter((source) => source !== 'keep' || draft.source === 'keep');
  const isTyped = draft.source === 'value' || draft.source === 'env' || draft.source === 'plain';
  return (
    <FormField label={optional ? `${words} (optional)` : words} name={name} wrong={wrong} hint={draft.source === 'keep' ? 'it is stored, and never shown' : draft.source === 'env' ? 'the variable’s name, where the alert workers run' : draft.source === 'plain' ? 'administrators see it; others see only its server' : hint}>
      {(aria) => (
        <span className="secret-field">
          <select value={draft.source} aria-label={`Where ${words.toLowerCase()} comes from`} onChange={(event) => onDraft({ source: event.target.value as SecretSource, text: '' })}>
            {shown.map((source) => (
              <option key={source} value={source}>
                {SOURCE_WORDS[source]}
              </option>
            ))}
          </select>
          {isTyped && (
            <input
              {...aria}
              type={draft.source === 'value' ? 'password' : 'text'}
              autoComplete="off"
              value={draft.text}
              placeholder={draft.source === 'env' ? 'MUSTER_CHANNEL_TOKEN' : placeholder}
              spellCheck={false}
              onChange={(event) => onDraft({ ...draft, text: event.target.value })}
            />
          )}
        </span>
      )}
    </FormField>
  );
}
