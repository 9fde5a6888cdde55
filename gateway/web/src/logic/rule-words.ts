// A rule in words: what is a breach, how long, whom it concerns; and what one version changed against
// the one before. Leaves out editing: rule-form.ts.
import type { Op, RuleCondition, RuleDefinition } from '../io/contract-rules';
import { amountWords, unitOfMetric } from './alert-units';
import { PRIORITY_WORDS } from './alerts';
import { count, plain } from './format';
import { durationText } from './quantities';

export const OP_WORDS: Record<Op, string> = { above: 'above', at_least: 'at least', below: 'below', at_most: 'at most' };

/** Units of metrics by name, where the gateway has told them. */
export type Units = ReadonlyMap<string, string>;

const NO_UNITS: Units = new Map();

export function unitIn(units: Units, metric: string): string {
  return units.get(metric) ?? unitOfMetric(metric);
}

export function limitWords({ metric, op, threshold, baseline_factor, limit_min }: RuleCondition, units: Units = NO_UNITS): string {
  const way = op === null ? '' : OP_WORDS[op];
  const unit = unitIn(units, metric ?? '');
  if (baseline_factor === null) return `${way} ${amountWords(threshold, unit)}`;
  const least = limit_min === null ? '' : ` and ${way} ${amountWords(limit_min, unit)}`;
  return `${way} ${plain(baseline_factor)} × its usual level${least}`;
}

/** What is a breach. */
export function conditionWords(condition: RuleCondition, units: Units = NO_UNITS): string {
  const { kind, metric, instance, share_percent } = condition;
  if (kind === 'offline') return 'The host is offline';
  const what = `${metric ?? ''}${instance === null || instance === '' ? '' : ` of ${instance}`} ${limitWords(condition, units)}`;
  return kind === 'group' ? `${what} on more than ${plain(share_percent ?? 0)} % of the hosts` : what;
}

export function lastingWords({ for_s, cooldown_s }: RuleDefinition): string {
  const lasting = for_s === 0 ? 'at once' : `for ${durationText(for_s)}`;
  return cooldown_s === 0 ? lasting : `${lasting}, then quiet for ${durationText(cooldown_s)}`;
}

export function selectorWords(selector: string): string {
  return selector.trim() === '' ? 'All hosts' : selector;
}

export interface RuleChange {
  field: string;
  before: string;
  after: string;
}

const CONDITION_KINDS: Record<RuleCondition['kind'], string> = { metric: 'a metric of a host', offline: 'a host is offline', group: 'a metric of a group of hosts' };

const NOTHING = 'nothing';

function text(value: string): string {
  return value === '' ? NOTHING : value;
}

function ids(channels: readonly number[], names: ReadonlyMap<number, string>): string {
  return channels.length === 0 ? 'the default channels' : channels.map((id) => names.get(id) ?? `channel ${id}`).join(', ');
}

/** Every field as it is named in the form, and what it says. */
function fieldsOf(rule: RuleDefinition, names: ReadonlyMap<number, string>, units: Units): [field: string, value: string][] {
  const { condition: of } = rule;
  const unit = unitIn(units, of.metric ?? '');
  const amount = (value: number | null) => (value === null ? NOTHING : amountWords(value, unit));
  return [
    ['Name', rule.name],
    ['Enabled', rule.enabled ? 'yes' : 'no'],
    ['Condition', CONDITION_KINDS[of.kind]],
    ['Metric', text(of.metric ?? '')],
    ['Instance', text(of.instance ?? '')],
    ['Is breached', of.op === null ? NOTHING : OP_WORDS[of.op]],
    ['Threshold', amount(of.threshold)],
    ['Times its usual level', of.baseline_factor === null ? NOTHING : plain(of.baseline_factor)],
    ['At least', amount(of.limit_min)],
    ['Ends at', amount(of.clear_at)],
    ['Share of hosts', of.share_percent === null ? NOTHING : `${plain(of.share_percent)} %`],
    ['For', durationText(rule.for_s)],
    ['Cooldown', durationText(rule.cooldown_s)],
    ['Priority', PRIORITY_WORDS[rule.priority]],
    ['Hosts', selectorWords(rule.selector)],
    ['Title', text(rule.title)],
    ['Description', text(rule.description)],
    ['Recommendation', text(rule.recommendation)],
    ['Channels', ids(rule.channels, names)],
    ['Escalation', rule.escalation.length === 0 ? NOTHING : rule.escalation.map((step) => `after ${durationText(step.after_s)} ${ids(step.channels, names)}`).join('; ')],
  ];
}

export function changesOf(before: RuleDefinition, after: RuleDefinition, names: ReadonlyMap<number, string>, units: Units = NO_UNITS): RuleChange[] {
  const old = new Map(fieldsOf(before, names, units));
  return fieldsOf(after, names, units)
    .map(([field, value]) => ({ field, before: old.get(field) ?? NOTHING, after: value }))
    .filter((change) => change.before !== change.after);
}

/** How it does now. */
export function firingWords({ firing, pending }: { firing: number; pending: number }): string {
  const waiting = pending === 0 ? '' : `${count(pending)} pending`;
  if (firing === 0) return waiting;
  return [`${count(firing)} firing`, waiting].filter((part) => part !== '').join(', ');
}
