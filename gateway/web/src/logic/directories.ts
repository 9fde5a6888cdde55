// The largest directories of a full filesystem, as a ticket shows them: each with its share of what is in
// use there. Leaves out which ones those are; the agent has chosen them.
import type { AlertContext } from '../io/contract-alerts';

export interface DirectoryRow {
  path: string;
  bytes: number;
  /** Null where it is not known how much is in use. */
  usedPercent: number | null;
}

/** Files may have come or gone between the two looks: no share is over the whole. */
export function directoryRows({ directories, filesystem }: Pick<AlertContext, 'directories' | 'filesystem'>): DirectoryRow[] {
  const used = filesystem?.used_bytes ?? 0;
  return directories.map(({ path, bytes }) => ({ path, bytes, usedPercent: used > 0 ? Math.min(100, (100 * bytes) / used) : null }));
}
