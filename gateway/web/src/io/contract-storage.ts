// How large what is stored is, how long it is kept, and what a change of that would remove: the
// types and their parsers. Leaves out what the values mean.
import { bool, int, list, nullable, num, optional, shape, str, type Parse } from './guards';

interface Size {
  group: string;
  bytes: number;
  rows_estimate: number;
  oldest: number | null;
  newest: number | null;
  /** The mean of the last week's whole days; null before the first has ended. */
  bytes_per_day: number | null;
}

export interface GroupSize extends Size {
  tables: number;
}

export interface TableSize extends Size {
  table: string;
  /** 0 where the table is no time series. */
  days: number;
}

export interface Storage {
  at: number;
  engine: string;
  database_bytes: number;
  /** Null where the database does not say. */
  free_bytes: number | null;
  hosts: number;
  bytes_per_host: number | null;
  bytes_per_day: number;
  groups: GroupSize[];
  tables: TableSize[];
}

export interface HostSize {
  id: string;
  bytes: number;
  rows_per_day: number;
}

export interface HostSizePage {
  items: HostSize[];
  next: string | null;
  /** How the estimate is made. */
  method: string;
}

export interface Rule {
  /** A group or a table. */
  scope: string;
  /** `key=value`; null for all hosts. */
  label: string | null;
  keep_days: number;
}

export interface GroupKept {
  group: string;
  keep_days: number;
  default_days: number;
  tables: string[];
}

export interface Retention {
  /** Grows with each change; 0 before the first. */
  version: number;
  updated_at: number | null;
  updated_by: string | null;
  groups: GroupKept[];
  rules: Rule[];
}

export interface LabelPlan {
  label: string;
  keep_days: number;
  before: number;
  /** With that label now. */
  hosts: number;
  days: number;
  /** At most: nobody looks how many of them are left. */
  rows: number;
}

export interface TablePlan {
  table: string;
  group: string;
  keep_days: number;
  /** What ended at or before this goes. */
  before: number;
  oldest: number | null;
  days: number;
  /** Those of `labels` included. */
  rows: number;
  exact: boolean;
  bytes: number;
  labels: LabelPlan[];
}

/** What rules would remove now. */
export interface Plan {
  tables: TablePlan[];
  days: number;
  rows: number;
  bytes: number;
}

const size = {
  group: str,
  bytes: num,
  rows_estimate: num,
  oldest: nullable(int),
  newest: nullable(int),
  bytes_per_day: nullable(num),
};

export const parseStorage: Parse<Storage> = shape<Storage>({
  at: int,
  engine: str,
  database_bytes: num,
  free_bytes: nullable(num),
  hosts: int,
  bytes_per_host: nullable(num),
  bytes_per_day: num,
  groups: list(shape<GroupSize>({ ...size, tables: int })),
  tables: list(shape<TableSize>({ ...size, table: str, days: int })),
});

export const parseHostSizePage: Parse<HostSizePage> = shape<HostSizePage>({
  items: list(shape<HostSize>({ id: str, bytes: num, rows_per_day: num })),
  next: nullable(str),
  method: str,
});

export const parseRetention: Parse<Retention> = shape<Retention>({
  version: int,
  updated_at: nullable(int),
  updated_by: nullable(str),
  groups: list(shape<GroupKept>({ group: str, keep_days: int, default_days: int, tables: list(str) })),
  rules: list(shape<Rule>({ scope: str, label: optional(nullable(str)), keep_days: int })),
});

export const parsePlan: Parse<Plan> = shape<Plan>({
  tables: list(
    shape<TablePlan>({
      table: str,
      group: str,
      keep_days: int,
      before: int,
      oldest: nullable(int),
      days: int,
      rows: num,
      exact: bool,
      bytes: num,
      labels: list(shape<LabelPlan>({ label: str, keep_days: int, before: int, hosts: int, days: int, rows: num })),
    }),
  ),
  days: int,
  rows: num,
  bytes: num,
});
