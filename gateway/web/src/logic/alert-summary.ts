// The summary of a week or a month: which of them is looked at, kept in the address, and words
// for its rows. Leaves out the clock: now is an argument; the totals, which are the gateway's; and drawing.
import type { Summary, SummaryRow } from '../io/contract-alerts';
import { alertsWords } from './alerts';
import { count, duration, MISSING, utcDay } from './format';

export type Period = 'week' | 'month';
export type GroupedBy = 'rule' | 'host';

export interface SummaryView {
  period: Period;
  by: GroupedBy;
  /** A moment in the period that is looked at; null for the current one. */
  at: number | null;
}

export function summaryViewFrom(query: URLSearchParams): SummaryView {
  const at = Number(query.get('at') ?? Number.NaN);
  return {
    period: query.get('period') === 'month' ? 'month' : 'week',
    by: query.get('by') === 'host' ? 'host' : 'rule',
    at: Number.isInteger(at) && at > 0 ? at : null,
  };
}

export function summaryQueryOf({ period, by, at }: SummaryView): URLSearchParams {
  const query = new URLSearchParams();
  if (period !== 'week') query.set('period', period);
  if (by !== 'rule') query.set('by', by);
  if (at !== null) query.set('at', String(at));
  return query;
}

/** Just before it, or just after its end. */
export function neighbours({ from, to }: Summary, now: number): { before: number; after: number | null } {
  return { before: from - 1, after: to > now ? null : to };
}

/** Weeks and months of UTC. */
export function periodWords({ from, to }: Summary): string {
  return `${utcDay(from)} – ${utcDay(to - 1)}`;
}

/** What a mean was made of: tickets that nobody has acknowledged, or that go on, are not in it. */
export function meanOfWords(part: number, row: SummaryRow): string {
  return `mean of ${count(part)} of ${alertsWords(row.count)}`;
}

/** What a row leads to; a group of hosts has no name to ask for. */
export function inboxOf({ rule_id, host_id }: SummaryRow, by: GroupedBy, when: string): string | null {
  const asked = by === 'rule' ? rule_id : host_id;
  return asked === null ? null : `/alerts?${new URLSearchParams({ status: 'all', when, [by]: String(asked) })}`;
}

export function seconds(value: number | null): string {
  return value === null ? MISSING : duration(value * 1000);
}
