// The summary of a week or a month: which of them is looked at, kept in the address, and its totals.
// Leaves out the clock: now is an argument; and drawing.
import type { Summary, SummaryRow } from '../io/contract-alerts';
import { duration, MISSING, utcDay } from './format';

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

export interface SummaryTotals {
  count: number;
  totalS: number;
  acknowledgeS: number | null;
  resolveS: number | null;
}

/** A mean of means, each as often as it was taken. */
function meanOf(rows: readonly SummaryRow[], value: (row: SummaryRow) => number | null): number | null {
  const known = rows.filter((row) => value(row) !== null);
  const number = known.reduce((sum, row) => sum + row.count, 0);
  return number === 0 ? null : known.reduce((sum, row) => sum + (value(row) ?? 0) * row.count, 0) / number;
}

export function totalsOf({ items }: Summary): SummaryTotals {
  return {
    count: items.reduce((sum, row) => sum + row.count, 0),
    totalS: items.reduce((sum, row) => sum + row.total_s, 0),
    acknowledgeS: meanOf(items, (row) => row.mean_acknowledge_s),
    resolveS: meanOf(items, (row) => row.mean_resolve_s),
  };
}

export function seconds(value: number | null): string {
  return value === null ? MISSING : duration(value * 1000);
}
