// The summary of a week or a month: which one, and the words for its rows.
import { expect, it } from 'vitest';
import type { SummaryRow } from '../io/contract-alerts';
import { inboxOf, meanOfWords, neighbours, periodWords, seconds, summaryQueryOf, summaryViewFrom } from './alert-summary';

const total = { count: 900, total_s: 90_000, mean_acknowledge_s: 12.5, mean_resolve_s: null };
const row: SummaryRow = { ...total, count: 4, rule_id: 1, rule_name: 'CPU', host_id: null, acknowledged: 3, resolved: 0 };

it('keeps in the address which summary is looked at', () => {
  for (const query of ['', 'period=month', 'by=host&at=5', 'period=month&by=host&at=1700000000000']) {
    expect(summaryQueryOf(summaryViewFrom(new URLSearchParams(query))).toString()).toBe(query);
  }
  expect(summaryViewFrom(new URLSearchParams('period=year&by=moon&at=-1'))).toEqual({ period: 'week', by: 'rule', at: null });
});

it('goes to the week before, and after only where there is one', () => {
  const week = { from: Date.UTC(2026, 10, 16), to: Date.UTC(2026, 10, 23), items: [], total };
  expect(neighbours(week, week.to - 1)).toEqual({ before: week.from - 1, after: null });
  expect(neighbours(week, week.to)).toEqual({ before: week.from - 1, after: week.to });
  expect(periodWords(week)).toBe('16 Nov – 22 Nov');
});

it('says of how many a mean is, because not every ticket is in it', () => {
  expect([meanOfWords(row.acknowledged, row), seconds(row.mean_acknowledge_s)]).toEqual(['mean of 3 of 4 alerts', '12 s']);
  expect([meanOfWords(row.resolved, row), seconds(row.mean_resolve_s)]).toEqual(['mean of 0 of 4 alerts', '–']);
});

it('leads from a row to its tickets, but for groups, which no name asks for', () => {
  expect(inboxOf(row, 'rule', '7d')).toBe('/alerts?status=all&when=7d&rule=1');
  expect(inboxOf({ ...row, rule_id: null, host_id: 'web-1' }, 'host', '7d')).toBe('/alerts?status=all&when=7d&host=web-1');
  expect(inboxOf({ ...row, rule_id: null }, 'host', '7d')).toBeNull();
});
