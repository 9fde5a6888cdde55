// Sizes of what is stored as a page shows them: shares of the whole, bytes a row, and how much time
// there is before the disk is full. Leaves out drawing.
import type { GroupSize, Storage, TableSize } from '../io/contract-storage';
import { bytes, count, MISSING } from './format';

/** With fewer rows the first pages of a table and its indexes are all there is to see. */
const ROWS_MIN = 1_000;

export function bytesPerRow({ bytes: size, rows_estimate }: GroupSize | TableSize): string {
  return rows_estimate < ROWS_MIN ? MISSING : bytes(size / rows_estimate);
}

/** The database counts in samples of its own, so no number of rows is exact. */
export function about(rows: number): string {
  return rows === 0 ? MISSING : `≈ ${count(rows)}`;
}

export function partOf(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(100, (part / whole) * 100);
}

/** Hours lie in months, and the first of a month tells little of when its data began. */
const BY_MONTH = 'rollup_1h';

/** The oldest day of a table or a group. Of hours it is their month, unless minutes or samples began in it. */
export function beginOf({ group, oldest }: { group: string; oldest: number | null }, storage: Storage): number | null {
  if (group !== BY_MONTH || oldest === null) return oldest;
  const finer = least(storage.tables.filter((table) => table.group !== BY_MONTH).map((table) => table.oldest));
  return finer !== null && month(finer) === month(oldest) ? finer : oldest;
}

/** The oldest day of any table that is kept by days. */
export function oldestOf(storage: Storage): number | null {
  return least(storage.tables.map((table) => beginOf(table, storage)));
}

function least(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function month(at: number): string {
  return new Date(at).toISOString().slice(0, 7);
}

/** Bytes a day, of the last week; null until a day has gone by. Of a month that has not, hours alone say nothing. */
export function growthOf({ groups, bytes_per_day }: Storage): number | null {
  const isKnown = groups.some((group) => group.group !== BY_MONTH && group.bytes_per_day !== null);
  return isKnown && bytes_per_day > 0 ? bytes_per_day : null;
}

/** Days until no room is left at that pace; null where that is not known. */
export function daysLeft(storage: Storage): number | null {
  const growth = growthOf(storage);
  return storage.free_bytes === null || growth === null ? null : Math.floor(storage.free_bytes / growth);
}

/** Further ahead nobody plans, and no pace lasts. */
const DAYS_AHEAD_MAX = 3650;

export function timeLeft(days: number): string {
  return days > DAYS_AHEAD_MAX ? 'more than ten years' : `${count(days)} ${days === 1 ? 'day' : 'days'}`;
}
