// Rules of alerting, their versions, what a form needs to offer, and what a draft would have done:
// the types and their parsers. Leaves out fetching and what the values mean.
import { PRIORITIES, type Priority } from './contract-alerts';
import { absentAs, bool, int, list, nullable, num, oneOf, optional, shape, str, type Parse } from './guards';

export const OPS = ['above', 'at_least', 'below', 'at_most'] as const;
export type Op = (typeof OPS)[number];

export type ConditionKind = 'metric' | 'offline' | 'group';

/** All but the kind is null where it does not apply. */
export interface RuleCondition {
  kind: ConditionKind;
  metric: string | null;
  /** Only this one; `*` at its end stands for any ending. Null for all. */
  instance: string | null;
  op: Op | null;
  /** One of the two limits is set. */
  threshold: number | null;
  baseline_factor: number | null;
  /** Beside `baseline_factor`: the limit is never lower. */
  limit_min: number | null;
  clear_at: number | null;
  share_percent: number | null;
}

export interface EscalationStep {
  after_s: number;
  channels: number[];
}

export interface RuleDefinition {
  name: string;
  enabled: boolean;
  condition: RuleCondition;
  for_s: number;
  cooldown_s: number;
  priority: Priority;
  selector: string;
  title: string;
  description: string;
  recommendation: string;
  /** Empty for the default ones. */
  channels: number[];
  escalation: EscalationStep[];
}

export interface AlertRule {
  id: number;
  version: number;
  definition: RuleDefinition;
  is_default: boolean;
  created_at: number;
  updated_at: number;
  updated_by: string | null;
  /** How many of its tickets are open, and how many breaches have not lasted long enough. */
  firing: number;
  pending: number;
  /** How many hosts its selector selects now; null where that is not said. */
  hosts_selected: number | null;
}

export interface RuleVersion {
  version: number;
  definition: RuleDefinition;
  at: number;
  by: string | null;
}

export interface VocabularyMetric {
  name: string;
  unit: string;
  has_instance: boolean;
  /** Samples of it are stored, so that a rule about it can be tested. */
  has_samples: boolean;
}

export interface Vocabulary {
  metrics: VocabularyMetric[];
  template_fields: string[];
}

export interface Episode {
  /** Null for a group of hosts. */
  host: string | null;
  instance: string;
  from: number;
  /** Null where it goes on at the end of the samples. */
  to: number | null;
  peak: number;
  would_page_at: number | null;
}

export interface Backtest {
  from: number;
  to: number;
  hosts: number;
  hosts_selected: number;
  samples: number;
  /** Null where nothing was read. */
  resolution_s: number | null;
  is_partial: boolean;
  episodes: Episode[];
  /** Of all, also of those that are not listed; null where that is not said. */
  episodes_total: number | null;
  pages: number;
  duration_ms: number;
}

const number = optional(nullable(num));

const parseCondition = shape<RuleCondition>({
  kind: oneOf<ConditionKind>('metric', 'offline', 'group'),
  metric: optional(nullable(str)),
  instance: optional(nullable(str)),
  op: optional(nullable(oneOf<Op>(...OPS))),
  threshold: number,
  baseline_factor: number,
  limit_min: number,
  clear_at: number,
  share_percent: number,
});

export const parseDefinition: Parse<RuleDefinition> = shape<RuleDefinition>({
  name: str,
  enabled: bool,
  condition: parseCondition,
  for_s: int,
  cooldown_s: int,
  priority: oneOf<Priority>(...PRIORITIES),
  selector: str,
  title: str,
  description: str,
  recommendation: str,
  channels: list(int),
  escalation: list(shape<EscalationStep>({ after_s: int, channels: list(int) })),
});

export const parseRule: Parse<AlertRule> = shape<AlertRule>({
  id: int,
  version: int,
  definition: parseDefinition,
  is_default: bool,
  created_at: int,
  updated_at: int,
  updated_by: nullable(str),
  firing: int,
  pending: int,
  hosts_selected: optional(nullable(int)),
});

export const parseRules: Parse<{ items: AlertRule[] }> = shape<{ items: AlertRule[] }>({ items: list(parseRule) });

export const parseRuleVersions: Parse<{ items: RuleVersion[] }> = shape<{ items: RuleVersion[] }>({
  items: list(shape<RuleVersion>({ version: int, definition: parseDefinition, at: int, by: nullable(str) })),
});

export const parseVocabulary: Parse<Vocabulary> = shape<Vocabulary>({
  metrics: list(shape<VocabularyMetric>({ name: str, unit: str, has_instance: absentAs(false, bool), has_samples: absentAs(true, bool) })),
  template_fields: list(str),
});

export const parseBacktest: Parse<Backtest> = shape<Backtest>({
  from: int,
  to: int,
  hosts: int,
  hosts_selected: int,
  samples: num,
  resolution_s: optional(nullable(num)),
  is_partial: bool,
  episodes: list(
    shape<Episode>({
      host: optional(nullable(str)),
      instance: absentAs('', str),
      from: int,
      to: optional(nullable(int)),
      peak: num,
      would_page_at: optional(nullable(int)),
    }),
  ),
  episodes_total: optional(nullable(int)),
  pages: int,
  duration_ms: num,
});
