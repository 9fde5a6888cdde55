// The inbox of tickets: what is asked for, kept in the address; and the words for a ticket, its state
// and how many there are. Leaves out fetching and drawing.
import { PRIORITIES, type Acknowledged, type Alert, type AlertCounts, type AlertStatus, type HostMark, type Priority } from '../io/contract-alerts';
import { amountWords, unitOfAlert } from './alert-units';
import { count, duration } from './format';
import { isHostName } from './letters';
import { whenFrom } from './log-time';

export const STATUS_FILTERS = ['active', 'open', 'acknowledged', 'resolved', 'all'] as const;
export type StatusFilter = (typeof STATUS_FILTERS)[number];

export const STATUS_FILTER_WORDS: Record<StatusFilter, string> = { active: 'Active', open: 'Open', acknowledged: 'Acknowledged', resolved: 'Resolved', all: 'All' };

export const PRIORITY_WORDS: Record<Priority, string> = { critical: 'Critical', high: 'High', medium: 'Medium', low: 'Low' };

export const STATUS_WORDS: Record<AlertStatus, string> = { open: 'Open', acknowledged: 'Acknowledged', resolved: 'Resolved' };

export interface AlertFilter {
  status: StatusFilter;
  priority: Priority | '';
  host: string;
  /** Of its host: `role=web`, or `role` for any value. */
  label: string;
  /** The number of a rule, or nothing. */
  rule: string;
  text: string;
  /** As logic/log-time.ts writes it; empty for any. */
  when: string;
}

/** What wants to be looked at. */
export const NO_ALERT_FILTER: AlertFilter = { status: 'active', priority: '', host: '', label: '', rule: '', text: '', when: '' };

/** A name, and a value where one is meant; only the first sign of equality parts them. */
export function isLabel(text: string): boolean {
  return /^[^=\s][^=]*(?:=.*\S.*)?$/u.test(text);
}

/** Each label that a host has, with its value, for a list to choose from. */
export function labelsOf(hosts: readonly { labels: Record<string, string> }[]): string[] {
  const labels = new Set(hosts.flatMap((host) => Object.entries(host.labels).map(([name, value]) => `${name}=${value}`)));
  return [...labels].toSorted((a, b) => a.localeCompare(b)).slice(0, LABELS_MAX);
}

/** Labels such as a serial number differ for each host: more are no help. */
const LABELS_MAX = 200;

export function alertFilterFrom(query: URLSearchParams): AlertFilter {
  const host = query.get('host') ?? '';
  const label = query.get('label') ?? '';
  const rule = query.get('rule') ?? '';
  return {
    status: STATUS_FILTERS.find((one) => one === query.get('status')) ?? 'active',
    priority: PRIORITIES.find((one) => one === query.get('priority')) ?? '',
    host: isHostName(host) ? host : '',
    label: isLabel(label) ? label : '',
    rule: /^\d{1,15}$/u.test(rule) ? rule : '',
    text: query.get('q') ?? '',
    when: whenFrom(query.get('when')),
  };
}

export function alertQueryOf({ status, text, ...rest }: AlertFilter): URLSearchParams {
  const asked: [string, string][] = [['status', status === 'active' ? '' : status], ...Object.entries(rest), ['q', text]];
  return new URLSearchParams(asked.filter(([, value]) => value !== ''));
}

export function isNarrowed(filter: AlertFilter): boolean {
  return alertQueryOf({ ...filter, status: 'active' }).size > 0;
}

/** How many the gateway counts behind a choice of status; null where it does not say. */
export function countOf(status: StatusFilter, counts: AlertCounts): number | null {
  if (status === 'active') return counts.open + counts.acknowledged;
  return status === 'open' || status === 'acknowledged' ? counts[status] : null;
}

export function alertsWords(number: number): string {
  return `${count(number)} ${number === 1 ? 'alert' : 'alerts'}`;
}

/** Behind the link to the inbox. */
export interface AlertBadge {
  number: number;
  tone: 'bad' | 'warm' | 'plain';
  words: string;
}

/** Open ones want somebody; acknowledged ones have somebody. */
export function badgeOf(counts: AlertCounts | null): AlertBadge | null {
  if (counts === null || counts.open === 0) return null;
  const tone = counts.critical > 0 ? 'bad' : counts.high > 0 ? 'warm' : 'plain';
  const worst = counts.critical > 0 ? `, ${count(counts.critical)} critical` : '';
  return { number: counts.open, tone, words: `${count(counts.open)} open${worst}` };
}

/** Before the title of every page. */
export function titleMark(counts: AlertCounts | null): string {
  return counts === null || counts.open === 0 ? '' : `(${counts.open}) `;
}

/** How long its episode has lasted, or lasted. */
export function lastedMs({ begun_at, resolved_at }: Alert, now: number): number {
  return Math.max(0, (resolved_at ?? now) - begun_at);
}

export function valueWords(alert: Alert & { unit?: string | null }): string {
  return amountWords(alert.value, unitOfAlert(alert));
}

export function thresholdWords(alert: Alert & { unit?: string | null }): string {
  return amountWords(alert.threshold, unitOfAlert(alert));
}

/** Whom it is about. */
export function subjectWords({ host_id, instance, hosts_count }: Alert): string {
  if (host_id === null) return hosts_count === null ? 'a group of hosts' : `${count(hosts_count)} ${hosts_count === 1 ? 'host' : 'hosts'}`;
  return instance === '' ? host_id : `${host_id} ${instance}`;
}

const RESOLUTIONS: Record<string, string> = {
  recovered: 'It recovered.',
  unheard: 'The host is online and has not spoken of the breach for long.',
  superseded: 'A ticket of a higher priority took its place.',
  rule_changed: 'The rule was changed, disabled or deleted.',
  host_removed: 'The host was removed.',
  by_hand: 'Resolved by hand.',
};

/** How it ended, as a sentence; what is new to this dashboard is shown as it is called. */
export function resolutionWords(resolution: string | null): string {
  if (resolution === null || resolution === '') return '';
  const known = RESOLUTIONS[resolution];
  if (known) return known;
  const words = resolution.replaceAll('_', ' ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** What is special about it, in a word each. */
export function marksOf({ is_late, is_silenced, is_flapping, superseded_by }: Alert): readonly (readonly [word: string, what: string])[] {
  const marks: (readonly [boolean, string, string])[] = [
    [is_late, 'late', 'What it is about was told of long after it happened; nobody was paged'],
    [is_silenced, 'silenced', 'A silence holds: nobody was paged'],
    [is_flapping, 'flapping', 'It comes and goes: pages are held until it is quiet'],
    [superseded_by !== null, 'superseded', 'A ticket of a higher priority is open for the same'],
  ];
  return marks.filter(([holds]) => holds).map(([, word, what]) => [word, what]);
}

/** The rule and the host in the key of a ticket, for a link to it; null where it cannot be read. */
export function placeOfKey(key: string): { rule: string; host: string } | null {
  const [rule = '', host = ''] = key.split('/');
  return /^\d+$/u.test(rule) ? { rule, host: isHostName(host) ? host : '' } : null;
}

export interface HostAlerts {
  number: number;
  worst: Priority;
}

/** What is not resolved, by host. */
export function byHost(marks: readonly HostMark[]): ReadonlyMap<string, HostAlerts> {
  return new Map(marks.map(({ host, number, worst }) => [host, { number, worst }]));
}

/** What became of acknowledging many at once. */
export function acknowledgedWords({ done, refused }: Acknowledged): string {
  const [first] = refused;
  const stay = first === undefined ? '' : ` ${alertsWords(refused.length)} could not be: ${first.reason}.`;
  return `${alertsWords(done)} acknowledged.${stay}`;
}

/** Which of what is chosen can be acknowledged. */
export function acknowledgeable(alerts: readonly Alert[], chosen: ReadonlySet<number>): number[] {
  return alerts.filter(({ id, status }) => status === 'open' && chosen.has(id)).map(({ id }) => id);
}

export function sinceWords(alert: Alert, now: number): string {
  return `${alert.status === 'resolved' ? 'lasted' : 'for'} ${duration(lastedMs(alert, now))}`;
}
