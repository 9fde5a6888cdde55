// Tickets, rules and silences for tests, with only what a test cares about spelled out. Used by tests
// only.
import type { Alert } from '../io/contract-alerts';
import type { Silence } from '../io/contract-channels';
import type { RuleDefinition } from '../io/contract-rules';

export function alert(changes: Partial<Alert> = {}): Alert {
  return {
    id: 4,
    key: '1/web-1//1000',
    rule_id: 1,
    rule_name: 'CPU critical',
    rule_version: 1,
    host_id: 'web-1',
    instance: '',
    metric: 'cpu.usage_percent',
    priority: 'critical',
    status: 'open',
    title: 'CPU of web-1',
    value: 96.4,
    threshold: 90,
    begun_at: 1_000,
    opened_at: 301_000,
    acknowledged_at: null,
    acknowledged_by: null,
    resolved_at: null,
    resolution: null,
    is_late: false,
    is_silenced: false,
    is_flapping: false,
    superseded_by: null,
    hosts_count: null,
    ...changes,
  };
}

/** As it comes over the wire: without what its condition does not have. */
export function written(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: 'CPU critical',
    enabled: true,
    condition: { kind: 'metric', metric: 'cpu.usage_percent', op: 'above', threshold: 90 },
    for_s: 300,
    cooldown_s: 1_800,
    priority: 'critical',
    selector: 'role=web',
    title: 'CPU of {{host}}',
    description: '',
    recommendation: '',
    channels: [1],
    escalation: [{ after_s: 900, channels: [2] }],
    ...changes,
  };
}

export function definition(changes: Partial<RuleDefinition> = {}): RuleDefinition {
  return {
    name: 'CPU critical',
    enabled: true,
    condition: { kind: 'metric', metric: 'cpu.usage_percent', instance: null, op: 'above', threshold: 90, baseline_factor: null, limit_min: null, clear_at: null, share_percent: null },
    for_s: 300,
    cooldown_s: 1_800,
    priority: 'critical',
    selector: 'role=web',
    title: 'CPU of {{host}}',
    description: '',
    recommendation: '',
    channels: [1],
    escalation: [{ after_s: 900, channels: [2] }],
    ...changes,
  };
}

export function silence(changes: Partial<Silence> = {}): Silence {
  return { id: 1, selector: 'role=web', rule_id: null, reason: 'release', author: 'ada', starts_at: 1_000, ends_at: 9_000, recurrence: null, created_at: 1_000, ended_at: null, ended_by: null, is_active: true, hosts_selected: 2, ...changes };
}
