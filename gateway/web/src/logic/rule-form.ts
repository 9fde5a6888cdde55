// A rule as a form has it, text in every field, and back to what the gateway takes. What cannot be
// read is said here with the field's name; what is not allowed is the gateway's to say, by the same
// names: `condition.threshold`, `for_s`, `escalation[0].after_s`.
import type { Priority } from '../io/contract-alerts';
import type { ConditionKind, Op, RuleDefinition } from '../io/contract-rules';
import { amountText, durationText, readAmount, readDuration, unitSuffix } from './quantities';

export interface StepDraft {
  /** Tells steps apart while they are edited. */
  id: number;
  after: string;
  channels: readonly number[];
}

export interface RuleDraft {
  name: string;
  enabled: boolean;
  kind: ConditionKind;
  metric: string;
  instance: string;
  op: Op;
  /** Whether the limit is a number, or times the usual level. */
  limit: 'threshold' | 'baseline';
  threshold: string;
  factor: string;
  /** Beside the factor, where a value that is above is a breach. */
  limitMin: string;
  clearAt: string;
  share: string;
  lasting: string;
  cooldown: string;
  priority: Priority;
  selector: string;
  title: string;
  description: string;
  recommendation: string;
  channels: readonly number[];
  escalation: readonly StepDraft[];
  nextId: number;
}

export const NEW_RULE: RuleDraft = {
  name: '',
  enabled: true,
  kind: 'metric',
  metric: 'cpu.usage_percent',
  instance: '',
  op: 'above',
  limit: 'threshold',
  threshold: '',
  factor: '',
  limitMin: '',
  clearAt: '',
  share: '',
  lasting: '5 min',
  cooldown: '30 min',
  priority: 'high',
  selector: '',
  title: '{{metric}} of {{host}} at {{value}}',
  description: '{{metric}} of {{host}} has been beyond {{threshold}} for {{for}}, since {{since}}; it is {{value}} now.',
  recommendation: '',
  channels: [],
  escalation: [],
  nextId: 0,
};

export function draftOfRule(rule: RuleDefinition, unitOf: (metric: string) => string): RuleDraft {
  const { condition: of } = rule;
  const unit = unitOf(of.metric ?? '');
  return {
    name: rule.name,
    enabled: rule.enabled,
    kind: of.kind,
    metric: of.metric ?? NEW_RULE.metric,
    instance: of.instance ?? '',
    op: of.op ?? 'above',
    limit: of.baseline_factor === null ? 'threshold' : 'baseline',
    threshold: amountText(of.threshold, unit),
    factor: of.baseline_factor === null ? '' : String(of.baseline_factor),
    limitMin: amountText(of.limit_min, unit),
    clearAt: amountText(of.clear_at, unit),
    share: of.share_percent === null ? '' : String(of.share_percent),
    lasting: durationText(rule.for_s),
    cooldown: durationText(rule.cooldown_s),
    priority: rule.priority,
    selector: rule.selector,
    title: rule.title,
    description: rule.description,
    recommendation: rule.recommendation,
    channels: rule.channels,
    escalation: rule.escalation.map((step, id) => ({ id, after: durationText(step.after_s), channels: step.channels })),
    nextId: rule.escalation.length,
  };
}

export function withStep(draft: RuleDraft): RuleDraft {
  const step = { id: draft.nextId, after: '15 min', channels: [] };
  return { ...draft, escalation: [...draft.escalation, step], nextId: draft.nextId + 1 };
}

/** As the gateway takes it; without what does not belong to the kind of condition. */
type Written = Record<string, unknown>;

export type RuleReading = { definition: Written } | { field: string; reason: string };

class Unreadable extends Error {
  readonly field: string;

  constructor(field: string, reason: string) {
    super(reason);
    this.field = field;
  }
}

function amountIn(field: string, text: string, unit: string): number {
  const read = readAmount(text, unit);
  if (read !== null) return read;
  const suffix = unitSuffix(unit);
  const unreadable = suffix === '' ? `${text.trim()} is not a number` : `${text.trim()} is not a number of ${suffix}`;
  throw new Unreadable(field, text.trim() === '' ? 'A number is missing' : unreadable);
}

function secondsIn(field: string, text: string): number {
  const read = readDuration(text);
  if (read === null) throw new Unreadable(field, `${text.trim()} is not a duration such as 90 s, 5 min or 1 h 30 min`);
  return read;
}

/** Below a usual level there is no least limit: it would be one that is nearer to what is usual. */
export function hasLeastLimit({ limit, op }: Pick<RuleDraft, 'limit' | 'op'>): boolean {
  return limit === 'baseline' && (op === 'above' || op === 'at_least');
}

function conditionOf(draft: RuleDraft, unit: string): Written {
  const { kind, metric, instance, op, limit, limitMin, clearAt } = draft;
  if (kind === 'offline') return { kind };
  const isThreshold = limit === 'threshold';
  return {
    kind,
    metric: metric.trim(),
    ...(instance.trim() !== '' && { instance: instance.trim() }),
    op,
    ...(isThreshold ? { threshold: amountIn('condition.threshold', draft.threshold, unit) } : { baseline_factor: amountIn('condition.baseline_factor', draft.factor, '') }),
    ...(hasLeastLimit(draft) && limitMin.trim() !== '' && { limit_min: amountIn('condition.limit_min', limitMin, unit) }),
    ...(isThreshold && clearAt.trim() !== '' && { clear_at: amountIn('condition.clear_at', clearAt, unit) }),
    ...(kind === 'group' && { share_percent: amountIn('condition.share_percent', draft.share, 'percent') }),
  };
}

export function ruleOf(draft: RuleDraft, unitOf: (metric: string) => string): RuleReading {
  try {
    const definition = {
      name: draft.name.trim(),
      enabled: draft.enabled,
      condition: conditionOf(draft, unitOf(draft.metric.trim())),
      for_s: secondsIn('for_s', draft.lasting),
      cooldown_s: secondsIn('cooldown_s', draft.cooldown),
      priority: draft.priority,
      selector: draft.selector.trim(),
      title: draft.title,
      description: draft.description,
      recommendation: draft.recommendation,
      channels: draft.channels,
      escalation: draft.escalation.map((step, index) => ({ after_s: secondsIn(`escalation[${index}].after_s`, step.after), channels: step.channels })),
    };
    return { definition };
  } catch (error) {
    if (error instanceof Unreadable) return { field: error.field, reason: error.message };
    throw error;
  }
}

/** The field of the form that the gateway means; it may name where in the request it stands. */
export function ruleField(field: string | null): string | null {
  if (field === null) return null;
  const own = field.replace(/^definition\./u, '');
  return own === 'condition' || own === 'condition.kind' ? 'condition.metric' : own;
}

/** A template with a field put in where the cursor is. */
export function withField(template: string, field: string, from: number, to: number): { text: string; cursor: number } {
  const put = `{{${field}}}`;
  return { text: template.slice(0, from) + put + template.slice(to), cursor: from + put.length };
}

/** The name of a label is to be put in by hand. */
export const FIELD_WORDS: Record<string, string> = {
  host: 'the host’s name',
  metric: 'the metric',
  instance: 'which filesystem, interface, …',
  value: 'the value with its unit',
  threshold: 'the limit that was in force',
  for: 'how long it has lasted',
  since: 'when it began',
  priority: 'the priority',
  rule: 'the rule’s name',
  top_processes: 'the largest processes',
  filesystem: 'how full the filesystem is',
  top_directories: 'the largest directories of the filesystem',
  'label.<key>': 'a label of the host',
  count: 'how many hosts of a group',
  hosts: 'the first hosts of a group',
};

/** A definition as it was read, as the gateway takes it: without what its kind of condition has not. */
export function writtenRule(rule: RuleDefinition): object {
  const condition = Object.fromEntries(Object.entries(rule.condition).filter(([, value]) => value !== null));
  return { ...rule, condition };
}

/** A sentence of the gateway begins with the field's path; beside the field it need not. */
export function besideField(sentence: string, field: string | null): string {
  const begins = (end: string) => field !== null && sentence.toLowerCase().startsWith(`${field.toLowerCase()}${end}`);
  const length = field?.length ?? 0;
  const own = begins(' ') ? `It ${sentence.slice(length + 1)}` : begins(': ') ? sentence.slice(length + 2) : sentence;
  return own.charAt(0).toUpperCase() + own.slice(1);
}
