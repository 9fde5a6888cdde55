// Rules: whether they are on, what they are about, and how they do now.
import { Link } from 'wouter';
import type { AlertRule } from '../io/contract-rules';
import { count } from '../logic/format';
import { conditionWords, lastingWords, selectorWords, type Units } from '../logic/rule-words';
import { PriorityMark } from './AlertParts';
import { Switch } from './form-parts';
import { NobodyMark } from './SelectorField';

export interface RuleListProps {
  rules: readonly AlertRule[];
  units: Units;
  mayEdit: boolean;
  /** The one that is being switched. */
  busy: number | null;
  onEnable(rule: AlertRule, on: boolean): void;
}

export function RuleList({ rules, units, mayEdit, busy, onEnable }: RuleListProps) {
  return (
    <ul className="card rule-list" aria-label="Rules" data-testid="rules">
      {rules.map((rule) => (
        <Row key={rule.id} rule={rule} units={units} mayEdit={mayEdit} busy={busy === rule.id} onEnable={onEnable} />
      ))}
    </ul>
  );
}

interface RowProps {
  rule: AlertRule;
  units: Units;
  mayEdit: boolean;
  busy: boolean;
  onEnable: RuleListProps['onEnable'];
}

function Row({ rule, units, mayEdit, busy, onEnable }: RowProps) {
  const { id, definition, is_default, firing, pending, hosts_selected } = rule;
  const { name, enabled, priority, condition, selector, escalation } = definition;
  return (
    <li className={enabled ? 'rule-row' : 'rule-row rule-off'} data-rule={id}>
      <Switch label={enabled ? `Switch ${name} off` : `Switch ${name} on`} quiet on={enabled} disabled={!mayEdit || busy} onChange={(on) => onEnable(rule, on)} />
      <div className="rule-what">
        <p>
          <Link className="row-link alert-title" href={`/alerts/rules/${id}`}>
            {name}
          </Link>
          {is_default && (
            <span className="alert-mark" title="Created at installation">
              default
            </span>
          )}
        </p>
        <p className="alert-where">
          {conditionWords(condition, units)}, {lastingWords(definition)}
          {escalation.length > 0 && `; escalates ${escalation.length === 1 ? 'once' : `in ${count(escalation.length)} steps`}`}
        </p>
      </div>
      <PriorityMark priority={priority} />
      <span className={selector.trim() === '' ? 'rule-hosts rule-hosts-all' : 'rule-hosts'}>
        {selectorWords(selector)}
        {hosts_selected === 0 && <NobodyMark words="No host is selected: the rule never fires" />}
      </span>
      <span className="rule-now">
        {firing > 0 && (
          <Link className="rule-firing" href={`/alerts?rule=${id}`}>
            {count(firing)} firing
          </Link>
        )}
        {pending > 0 && <span className="quiet">{count(pending)} pending</span>}
        {firing === 0 && pending === 0 && <span className="missing">{enabled ? 'OK' : 'off'}</span>}
      </span>
    </li>
  );
}
