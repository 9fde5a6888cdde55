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

/** The start of the oldest day of any table that is kept by days. */
export function oldestOf(storage: Storage): number | null {
  const known = storage.tables.map((table) => table.oldest).filter((oldest) => oldest !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Days until no room is left at the pace of the last week; null where that is not known. */
export function daysLeft({ free_bytes, bytes_per_day }: Storage): number | null {
  return free_bytes === null || bytes_per_day <= 0 ? null : Math.floor(free_bytes / bytes_per_day);
}
