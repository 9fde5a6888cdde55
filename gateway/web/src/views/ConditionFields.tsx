// What is a breach: of a metric of a host, of a group of hosts, or that a host is offline.
import type { ConditionKind, Op, Vocabulary } from '../io/contract-rules';
import { OPS } from '../io/contract-rules';
import { unitSuffix } from '../logic/quantities';
import { hasLeastLimit, type RuleDraft } from '../logic/rule-form';
import { OP_WORDS, unitIn, type Units } from '../logic/rule-words';
import { FormField, type Wrong } from './form-parts';

export interface ConditionFieldsProps {
  draft: RuleDraft;
  wrong: Wrong | null;
  vocabulary: Vocabulary;
  units: Units;
  onChange(changes: Partial<RuleDraft>): void;
}

const KINDS: readonly (readonly [kind: ConditionKind, words: string])[] = [
  ['metric', 'A metric of a host'],
  ['group', 'A metric of many hosts'],
  ['offline', 'A host is offline'],
];

export function ConditionFields(props: ConditionFieldsProps) {
  const { draft, onChange } = props;
  return (
    <fieldset className="form-part">
      <legend>Condition</legend>
      <div className="segmented form-kinds" role="group" aria-label="Kind of condition">
        {KINDS.map(([kind, words]) => (
          <button key={kind} type="button" aria-pressed={draft.kind === kind} onClick={() => onChange({ kind })}>
            {words}
          </button>
        ))}
      </div>
      {draft.kind === 'offline' ? (
        <p className="settings-intro">A host counts as offline after more than two missed heartbeats. There is nothing else to choose; other alerts of a host that is offline are muted.</p>
      ) : (
        <MetricFields {...props} />
      )}
    </fieldset>
  );
}

function MetricFields(props: ConditionFieldsProps) {
  const { draft, wrong, vocabulary, onChange } = props;
  const known = vocabulary.metrics.find(({ name }) => name === draft.metric.trim());
  const hasInstance = known === undefined || known.has_instance || draft.instance !== '';
  return (
    <div className="form-row">
      <FormField label="Metric" name="condition.metric" wrong={wrong} className="form-wide" hint="one of the list, or custom.<name> of a script of your own">
        {(aria) => <input {...aria} list="rule-metrics" value={draft.metric} spellCheck={false} autoCapitalize="off" onChange={(event) => onChange({ metric: event.target.value })} />}
      </FormField>
      <datalist id="rule-metrics">
        {vocabulary.metrics.map(({ name, unit }) => (
          <option key={name} value={name}>
            {unitSuffix(unit)}
          </option>
        ))}
      </datalist>
      {hasInstance && (
        <FormField label="Instance" name="condition.instance" wrong={wrong} hint="empty: each; /var or eth*">
          {(aria) => <input {...aria} value={draft.instance} placeholder="each" spellCheck={false} autoCapitalize="off" onChange={(event) => onChange({ instance: event.target.value })} />}
        </FormField>
      )}
      <LimitFields {...props} />
      {draft.kind === 'group' && (
        <FormField label="Share of hosts, %" name="condition.share_percent" wrong={wrong} hint="fires when it is breached on more of the selected hosts that are online">
          {(aria) => <input {...aria} inputMode="decimal" value={draft.share} placeholder="20" onChange={(event) => onChange({ share: event.target.value })} />}
        </FormField>
      )}
    </div>
  );
}

function LimitFields({ draft, wrong, units, onChange }: ConditionFieldsProps) {
  const suffix = unitSuffix(unitIn(units, draft.metric.trim()));
  const behind = suffix === '' ? '' : `, ${suffix}`;
  return (
    <>
      <FormField label="Is breached" name="condition.op" wrong={wrong}>
        {(aria) => (
          <select {...aria} value={draft.op} onChange={(event) => onChange({ op: event.target.value as Op })}>
            {OPS.map((op) => (
              <option key={op} value={op}>
                {OP_WORDS[op]}
              </option>
            ))}
          </select>
        )}
      </FormField>
      <FormField label="The limit is" name="condition.limit" wrong={wrong}>
        {(aria) => (
          <select {...aria} value={draft.limit} onChange={(event) => onChange({ limit: event.target.value as RuleDraft['limit'] })}>
            <option value="threshold">a number</option>
            <option value="baseline">times its usual level</option>
          </select>
        )}
      </FormField>
      {draft.limit === 'threshold' ? (
        <>
          <FormField label={`Threshold${behind}`} name="condition.threshold" wrong={wrong} hint={suffix.startsWith('bytes') ? '1.5 GiB is understood' : ''}>
            {(aria) => <input {...aria} value={draft.threshold} onChange={(event) => onChange({ threshold: event.target.value })} />}
          </FormField>
          <FormField label={`Ends at${behind}`} name="condition.clear_at" wrong={wrong} hint="empty: at the threshold">
            {(aria) => <input {...aria} value={draft.clearAt} placeholder={draft.threshold} onChange={(event) => onChange({ clearAt: event.target.value })} />}
          </FormField>
        </>
      ) : (
        <>
          <FormField label="Times" name="condition.baseline_factor" wrong={wrong} hint="of the level that is usual for it">
            {(aria) => <input {...aria} inputMode="decimal" value={draft.factor} placeholder="5" onChange={(event) => onChange({ factor: event.target.value })} />}
          </FormField>
          {hasLeastLimit(draft) && (
            <FormField label={`At least${behind}`} name="condition.limit_min" wrong={wrong} hint="the limit is never lower, so that nothing on an idle host is a spike; empty: no least">
              {(aria) => <input {...aria} value={draft.limitMin} onChange={(event) => onChange({ limitMin: event.target.value })} />}
            </FormField>
          )}
        </>
      )}
    </>
  );
}
