// The rules of how long data is kept, to be changed: a number of days for each kind, and exceptions
// for single tables and for hosts with a label. What a change removes is shown by PlanView.
import type { GroupKept, Retention } from '../io/contract-storage';
import { moment } from '../logic/format';
import { groupHint, groupWords, kept, withRule, type RetentionDraft, type RuleDraft } from '../logic/retention-form';
import { CrossIcon } from './icons';

export interface RetentionFormProps {
  stored: Retention;
  draft: RetentionDraft;
  /** The field that is wrong, as logic/retention-form.ts names them. */
  wrong: string | null;
  onDraft(draft: RetentionDraft): void;
}

export function RetentionForm({ stored, draft, wrong, onDraft }: RetentionFormProps) {
  const change = (changed: RuleDraft) => onDraft({ ...draft, rules: draft.rules.map((rule) => (rule.id === changed.id ? changed : rule)) });
  return (
    <>
      <p className="settings-intro">Whole days, UTC, are dropped once they ended so long ago. An empty field leaves a kind to its default. {retentionSince(stored)}</p>
      <div className="keep-fields">
        {stored.groups.map((group) => (
          <GroupField key={group.group} group={group} value={draft.groups[group.group] ?? ''} wrong={wrong === group.group} onChange={(text) => onDraft({ ...draft, groups: { ...draft.groups, [group.group]: text } })} />
        ))}
      </div>
      <fieldset className="keep-rules">
        <legend>Exceptions</legend>
        <p className="settings-intro">For a single table, which comes before its kind; or for hosts with a label, which can only shorten and costs deletes of its own.</p>
        {draft.rules.map((rule) => (
          <RuleRow key={rule.id} rule={rule} groups={stored.groups} wrong={wrong} onChange={change} onRemove={() => onDraft({ ...draft, rules: draft.rules.filter((one) => one.id !== rule.id) })} />
        ))}
        <button type="button" className="button" onClick={() => onDraft(withRule(draft, 'raw'))}>
          Add an exception
        </button>
      </fieldset>
    </>
  );
}

export function retentionSince({ updated_at, updated_by }: Retention): string {
  return updated_at === null ? 'Nobody has changed this yet.' : `Last changed by ${updated_by ?? 'somebody'} on ${moment(updated_at)}.`;
}

interface GroupFieldProps {
  group: GroupKept;
  value: string;
  wrong: boolean;
  onChange(text: string): void;
}

function GroupField({ group, value, wrong, onChange }: GroupFieldProps) {
  const hint = `keep-${group.group}`;
  return (
    <label className="keep-field">
      {groupWords(group.group)}
      <span className="keep-input">
        <input inputMode="numeric" value={value} placeholder={String(group.default_days)} aria-label={`${groupWords(group.group)}, days to keep`} aria-invalid={wrong} aria-describedby={hint} onChange={(event) => onChange(event.target.value)} />
        days
      </span>
      <span className="settings-hint" id={hint}>
        {groupHint(group.group)}; by default {kept(group.default_days)}
      </span>
    </label>
  );
}

interface RuleRowProps {
  rule: RuleDraft;
  groups: readonly GroupKept[];
  wrong: string | null;
  onChange(rule: RuleDraft): void;
  onRemove(): void;
}

function RuleRow({ rule, groups, wrong, onChange, onRemove }: RuleRowProps) {
  const isWrong = (part: string) => wrong === `rule/${rule.id}/${part}`;
  return (
    <div className="keep-rule" role="group" aria-label="Exception">
      <label>
        <span>Keep</span>
        <select value={rule.scope} aria-label="What" aria-invalid={isWrong('scope')} onChange={(event) => onChange({ ...rule, scope: event.target.value })}>
          {groups.map(({ group, tables }) => (
            <optgroup key={group} label={groupWords(group)}>
              <option value={group}>{groupWords(group)}, all tables</option>
              {tables.map((table) => (
                <option key={table} value={table}>
                  {table}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      <label>
        <span>of hosts with</span>
        <input value={rule.label} placeholder="any label, or env=dev" aria-label="Label" aria-invalid={isWrong('label')} spellCheck={false} onChange={(event) => onChange({ ...rule, label: event.target.value })} />
      </label>
      <label className="keep-days">
        <span>for</span>
        <input inputMode="numeric" value={rule.days} aria-label="Days" aria-invalid={isWrong('keep_days')} onChange={(event) => onChange({ ...rule, days: event.target.value })} />
        <span>days</span>
      </label>
      <button type="button" className="button-icon" aria-label="Remove this exception" title="Remove this exception" onClick={onRemove}>
        <CrossIcon />
      </button>
    </div>
  );
}
