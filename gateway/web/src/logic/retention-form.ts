// The retention rules as a form has them, text in every field, and back; and what a dry run says, in
// words. An empty field of a group is its default. What is wrong with a rule is the gateway's to
// say; here only what cannot be read.
import type { GroupKept, LabelPlan, Plan, Retention, Rule, TablePlan } from '../io/contract-storage';
import { bytes, count, utcDay } from './format';

/** A rule beside those of whole groups. */
export interface RuleDraft {
  /** Tells rows apart while they are edited. */
  id: number;
  scope: string;
  /** Empty for all hosts. */
  label: string;
  days: string;
}

export interface RetentionDraft {
  /** Days by group; empty for the default. */
  groups: Record<string, string>;
  rules: readonly RuleDraft[];
  nextId: number;
}

const GROUP_WORDS: Record<string, readonly [words: string, what: string]> = {
  raw: ['Samples', 'as agents took them, every few seconds'],
  rollup_1m: ['Minutes', 'samples rolled up by the minute'],
  rollup_1h: ['Hours', 'samples rolled up by the hour'],
  logs: ['Log lines', 'of all hosts and applications'],
  events: ['Events', 'of hosts: coming, going, gaps'],
  inventory_history: ['Inventory', 'what hosts were before'],
  ledger_history: ['Ledger history', 'closed gaps and late ranges'],
  alerts: ['Alerts', 'resolved ones with their history, ended silences, versions of rules'],
  notifications: ['Notifications', 'sent and failed ones'],
  other: ['Everything else', 'hosts, settings, accounts; always kept'],
};

export function groupWords(group: string): string {
  return GROUP_WORDS[group]?.[0] ?? group;
}

export function groupHint(group: string): string {
  return GROUP_WORDS[group]?.[1] ?? '';
}

export function days(number: number): string {
  return `${count(number)} ${number === 1 ? 'day' : 'days'}`;
}

/** A span of days as people say it: 1,095 days are three years. */
export function kept(number: number): string {
  if (number >= 730 && number % 365 === 0) return `${number / 365} years`;
  return days(number);
}

function ofWholeGroup(rule: Rule, groups: readonly GroupKept[]): boolean {
  return rule.label === null && groups.some((group) => group.group === rule.scope);
}

export function draftOf({ groups, rules }: Retention): RetentionDraft {
  const whole = rules.filter((rule) => ofWholeGroup(rule, groups));
  const other = rules.filter((rule) => !ofWholeGroup(rule, groups));
  return {
    groups: Object.fromEntries(groups.map(({ group }) => [group, String(whole.find((rule) => rule.scope === group)?.keep_days ?? '')])),
    rules: other.map((rule, id) => ({ id, scope: rule.scope, label: rule.label ?? '', days: String(rule.keep_days) })),
    nextId: other.length,
  };
}

export function withRule(draft: RetentionDraft, scope: string): RetentionDraft {
  const rule = { id: draft.nextId, scope, label: '', days: '' };
  return { ...draft, rules: [...draft.rules, rule], nextId: draft.nextId + 1 };
}

/** The field that is wrong is named as in the form: a group, or `rule/<id>/<part>`. */
export type Reading = { rules: Rule[]; fields: string[] } | { field: string; reason: string };

function readDays(text: string): number | null {
  const trimmed = text.trim();
  return /^\d{1,6}$/.test(trimmed) ? Number(trimmed) : null;
}

export function rulesOf(draft: RetentionDraft): Reading {
  const rules: Rule[] = [];
  const fields: string[] = [];
  for (const [group, text] of Object.entries(draft.groups)) {
    if (text.trim() === '') continue;
    const keep_days = readDays(text);
    if (keep_days === null) return { field: group, reason: `${text.trim()} is not a whole number of days` };
    rules.push({ scope: group, label: null, keep_days });
    fields.push(group);
  }
  for (const { id, scope, label, days: text } of draft.rules) {
    const keep_days = readDays(text);
    if (keep_days === null) return { field: `rule/${id}/keep_days`, reason: text.trim() === '' ? 'A rule needs a number of days' : `${text.trim()} is not a whole number of days` };
    rules.push({ scope, label: label.trim() === '' ? null : label.trim(), keep_days });
    fields.push(`rule/${id}`);
  }
  return { rules, fields };
}

/** Which field of the form the gateway means by `rules[3].label`. */
export function formField(field: string | null, fields: readonly string[]): string | null {
  const found = /^rules\[(\d+)\](?:\.(\w+))?/.exec(field ?? '');
  const place = found && fields[Number(found[1])];
  if (!place) return null;
  return place.startsWith('rule/') ? `${place}/${found[2] ?? 'scope'}` : place;
}

/** Rows that go whatever their host; the gateway counts those of labels in. */
function rowsOfAll({ rows, labels }: TablePlan): number {
  return Math.max(0, rows - labels.reduce((sum, label) => sum + label.rows, 0));
}

function losesOfAll(table: TablePlan): boolean {
  return table.days > 0 || rowsOfAll(table) > 0;
}

function losingLabels({ labels }: TablePlan): LabelPlan[] {
  return labels.filter((label) => label.days > 0 && label.hosts > 0);
}

function loses(table: TablePlan): boolean {
  return losesOfAll(table) || losingLabels(table).length > 0;
}

/** Tables that would lose something, of all hosts or of some; those that lose most first. */
export function losing(plan: Plan): TablePlan[] {
  return plan.tables.filter(loses).toSorted((a, b) => b.bytes - a.bytes || b.rows - a.rows);
}

export interface GroupLoss {
  group: string;
  /** Of the table that loses most days: tables lose the same days side by side. */
  days: number;
  rows: number;
  bytes: number;
  from: number | null;
  before: number;
}

export function lossByGroup(plan: Plan): GroupLoss[] {
  const groups = new Map<string, GroupLoss>();
  for (const table of losing(plan).filter(losesOfAll)) {
    const sum = groups.get(table.group) ?? { group: table.group, days: 0, rows: 0, bytes: 0, from: null, before: table.before };
    sum.days = Math.max(sum.days, table.days);
    sum.rows += rowsOfAll(table);
    sum.bytes += table.bytes;
    sum.before = Math.max(sum.before, table.before);
    if (table.oldest !== null) sum.from = Math.min(sum.from ?? table.oldest, table.oldest);
    groups.set(table.group, sum);
  }
  return [...groups.values()].toSorted((a, b) => b.bytes - a.bytes || b.rows - a.rows);
}

export function lossWords({ group, days: number, rows, bytes: size, from, before }: GroupLoss): string {
  const what = groupWords(group).toLowerCase();
  const about = rows > 0 ? `about ${count(rows)} rows` : '';
  if (number === 0) return `${what}: ${about} from before ${utcDay(before)}`;
  const since = from === null ? '' : ` (${utcDay(from)} – ${utcDay(before - 1)})`;
  return `${days(number)} of ${what} of all hosts${since}, ${[about, bytes(size)].filter((part) => part !== '').join(', ')}`;
}

/**
 * Rows of hosts with a label, which are deleted one by one. How many are left of them nobody counts:
 * it may be as many as there would be had the rule never held.
 */
export function labelLosses(plan: Plan): string[] {
  const found = new Map<string, { group: string; label: LabelPlan }>();
  for (const { group, label } of plan.tables.flatMap((table) => losingLabels(table).map((one) => ({ group: table.group, label: one })))) {
    const key = `${label.label} ${group} ${label.before}`;
    const sum = found.get(key)?.label ?? { ...label, days: 0, rows: 0 };
    found.set(key, { group, label: { ...sum, days: Math.max(sum.days, label.days), rows: sum.rows + label.rows } });
  }
  return [...found.values()].map(labelWords);
}

function labelWords({ group, label: { label, hosts, days: number, rows, before } }: { group: string; label: LabelPlan }): string {
  const of = `${count(hosts)} ${hosts === 1 ? 'host' : 'hosts'} with ${label}`;
  const most = rows > 0 ? `, up to ${count(rows)} rows` : '';
  return `${days(number)} of ${groupWords(group).toLowerCase()} of ${of}, all that is older than ${utcDay(before)}${most}`;
}

/** What goes of a table by one rule. */
export interface TableLoss {
  table: string;
  /** Null for all hosts. */
  label: string | null;
  keep_days: number;
  /** 0 where single rows go. */
  days: number;
  before: number;
  rows: number;
  /** Null where nothing is free at once. */
  bytes: number | null;
}

export function lossByTable(plan: Plan): TableLoss[] {
  return losing(plan).flatMap((table) => {
    const { table: name, keep_days, days: number, before, bytes: size } = table;
    const ofAll = { table: name, label: null, keep_days, days: number, before, rows: rowsOfAll(table), bytes: size };
    const ofLabels = losingLabels(table).map((one) => ({ table: name, label: one.label, keep_days: one.keep_days, days: 0, before: one.before, rows: one.rows, bytes: null }));
    return losesOfAll(table) ? [ofAll, ...ofLabels] : ofLabels;
  });
}

/** Labels in rules that no host has now: a typing mistake, more often than not. */
export function idleLabels(plan: Plan): string[] {
  const idle = plan.tables.flatMap((table) => table.labels.filter((label) => label.hosts === 0).map((label) => label.label));
  return [...new Set(idle)];
}

/** The whole of a dry run in one sentence. */
export function planSentence(plan: Plan): string {
  const groups = lossByGroup(plan);
  const labelled = labelLosses(plan);
  if (groups.length === 0 && labelled.length === 0) return 'Nothing stored now is older than these rules allow: saving them removes nothing.';
  const size = plan.bytes > 0 ? `, ${bytes(plan.bytes)}` : '';
  const most = labelled.length > 0 ? 'up to' : 'about';
  const rows = plan.rows > 0 ? `${most} ${count(plan.rows)} rows${size}` : `rows of some hosts${size}`;
  return `Saving these rules removes ${rows}, for good, within minutes.`;
}
