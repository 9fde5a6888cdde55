import { expect, it } from 'vitest';
import type { Storage, TableSize } from '../io/contract-storage';
import { about, beginOf, bytesPerRow, daysLeft, growthOf, oldestOf, partOf, timeLeft } from './storage';

function table(changes: Partial<TableSize> = {}): TableSize {
  return { table: 'host_samples', group: 'raw', bytes: 312_000, rows_estimate: 1_000, days: 3, oldest: 5, newest: 9, bytes_per_day: null, ...changes };
}

const storage: Storage = { at: 10, engine: 'plain', database_bytes: 1, free_bytes: null, hosts: 1, bytes_per_host: null, bytes_per_day: 100, groups: [{ ...table(), tables: 3, bytes_per_day: 100 }], tables: [table(), table({ oldest: null }), table({ oldest: 3 })] };

it('prints bytes a row only where there are rows enough', () => {
  expect([bytesPerRow(table()), bytesPerRow(table({ rows_estimate: 999 }))]).toEqual(['312 B', '–']);
});

it('never prints an estimate as a count', () => {
  expect([about(0), about(1_234)]).toEqual(['–', '≈ 1,234']);
});

it('finds the oldest day, the share of a whole and the days that are left', () => {
  expect([oldestOf(storage), oldestOf({ ...storage, tables: [] })]).toEqual([3, null]);
  expect([partOf(1, 4), partOf(1, 0)]).toEqual([25, 0]);
  expect([daysLeft(storage), daysLeft({ ...storage, free_bytes: 1_050 })]).toEqual([null, 10]);
});

const day = (text: string) => Date.parse(`${text}T00:00:00Z`);

it('takes the month of hours for their beginning only where nothing finer began in it', () => {
  const hours = table({ group: 'rollup_1h', oldest: day('2026-11-01') });
  const since = (samples: string) => ({ ...storage, tables: [hours, table({ oldest: day(samples) })] });
  expect(beginOf(hours, since('2026-11-21'))).toBe(day('2026-11-21'));
  expect(oldestOf(since('2026-11-21'))).toBe(day('2026-11-21'));
  expect(oldestOf(since('2026-12-02'))).toBe(day('2026-11-01'));
});

it('tells no growth of a month that has only begun, and no time that nobody plans for', () => {
  const fresh = { ...storage, groups: [{ ...table(), group: 'rollup_1h', tables: 12, bytes_per_day: 100 }] };
  expect([growthOf(storage), growthOf(fresh), daysLeft({ ...fresh, free_bytes: 1_050 })]).toEqual([100, null, null]);
  expect([timeLeft(1), timeLeft(3_650), timeLeft(3_651)]).toEqual(['1 day', '3,650 days', 'more than ten years']);
});
