// Tickets as the gateway tells of them: the list, one with its history, how many there are, and the
// summary of a week or a month. Leaves out fetching and what the values mean.
import { parseProcess, type Process } from './contract-sample';
import { absentAs, anyObject, bool, int, list, nullable, num, oneOf, optional, shape, str, type Parse } from './guards';

export const PRIORITIES = ['critical', 'high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

export type AlertStatus = 'open' | 'acknowledged' | 'resolved';

export interface Alert {
  id: number;
  /** Of the episode: the same however often it is told. */
  key: string;
  rule_id: number;
  rule_name: string;
  rule_version: number;
  /** Null for a group of hosts. */
  host_id: string | null;
  /** Empty for a metric that a host has once. */
  instance: string;
  metric: string;
  priority: Priority;
  status: AlertStatus;
  title: string;
  value: number | null;
  threshold: number | null;
  begun_at: number;
  opened_at: number;
  acknowledged_at: number | null;
  acknowledged_by: string | null;
  resolved_at: number | null;
  resolution: string | null;
  is_late: boolean;
  is_silenced: boolean;
  is_flapping: boolean;
  /** The key of the ticket of a higher priority. */
  superseded_by: string | null;
  /** Of a group: how many hosts it concerns. */
  hosts_count: number | null;
}

/** How many are not resolved; the priorities count those, too. */
export interface AlertCounts {
  open: number;
  acknowledged: number;
  critical: number;
  high: number;
  medium: number;
  low: number;
}

export interface AlertPage {
  items: Alert[];
  next: string | null;
  counts: AlertCounts;
}

export interface HistoryEntry {
  id: number;
  at: number;
  kind: string;
  /** Null where nobody did it but the engine. */
  by: string | null;
  detail: Record<string, unknown>;
}

export interface TicketNotification {
  id: number;
  channel_id: number;
  channel: string;
  kind: string;
  state: string;
  attempts: number;
  created_at: number;
  sent_at: number | null;
  next_attempt_at: number | null;
  error: string | null;
}

interface ContextFilesystem {
  mount: string;
  device: string;
  used_bytes: number;
  available_bytes: number;
}

interface ContextDirectory {
  path: string;
  bytes: number;
}

/** What helped to understand the breach when it was told of. */
export interface AlertContext {
  processes: Process[];
  filesystem: ContextFilesystem | null;
  /** What fills that filesystem, largest first; none while that is not known. */
  directories: ContextDirectory[];
  /** Not all of it was looked at. */
  directories_partial: boolean;
  /** Of a group: the first of its hosts. */
  hosts: string[];
}

export interface Ticket extends Alert {
  description: string;
  recommendation: string;
  context: AlertContext;
  unit: string | null;
  history: HistoryEntry[];
  notifications: TicketNotification[];
}

export interface SummaryFigures {
  count: number;
  total_s: number;
  /** Of those that somebody has acknowledged. */
  mean_acknowledge_s: number | null;
  /** Of those that are over. */
  mean_resolve_s: number | null;
}

export interface SummaryRow extends SummaryFigures {
  rule_id: number | null;
  rule_name: string | null;
  /** Null in a summary of hosts for groups of them. */
  host_id: string | null;
  acknowledged: number;
  resolved: number;
}

export interface Summary {
  from: number;
  to: number;
  items: SummaryRow[];
  /** Of all tickets of the time, also of those that no row is about. */
  total: SummaryFigures;
}

/** Of one host: how many tickets are not resolved, and the worst of them. */
export interface HostMark {
  host: string;
  number: number;
  worst: Priority;
}

/** What became of many at once. */
export interface Acknowledged {
  done: number;
  refused: { id: number; reason: string }[];
}

const priority = oneOf<Priority>(...PRIORITIES);

const alertFields = {
  id: int,
  key: str,
  rule_id: int,
  rule_name: str,
  rule_version: int,
  host_id: nullable(str),
  instance: str,
  metric: str,
  priority,
  status: oneOf<AlertStatus>('open', 'acknowledged', 'resolved'),
  title: str,
  value: nullable(num),
  threshold: nullable(num),
  begun_at: int,
  opened_at: int,
  acknowledged_at: nullable(int),
  acknowledged_by: nullable(str),
  resolved_at: nullable(int),
  resolution: nullable(str),
  is_late: bool,
  is_silenced: bool,
  is_flapping: bool,
  superseded_by: nullable(str),
  hosts_count: nullable(int),
};

export const parseAlert: Parse<Alert> = shape<Alert>(alertFields);

export const parseAlertCounts: Parse<AlertCounts> = shape<AlertCounts>({ open: int, acknowledged: int, critical: int, high: int, medium: int, low: int });

export const parseAlertPage: Parse<AlertPage> = shape<AlertPage>({ items: list(parseAlert), next: nullable(str), counts: parseAlertCounts });

const parseContext = shape<AlertContext>({
  processes: absentAs<Process[]>([], list(parseProcess)),
  filesystem: absentAs<ContextFilesystem | null>(null, nullable(shape<ContextFilesystem>({ mount: str, device: absentAs('', str), used_bytes: num, available_bytes: num }))),
  directories: absentAs<ContextDirectory[]>([], list(shape<ContextDirectory>({ path: str, bytes: num }))),
  directories_partial: absentAs(false, bool),
  hosts: absentAs<string[]>([], list(str)),
});

export const parseTicketNotification: Parse<TicketNotification> = shape<TicketNotification>({
  id: int,
  channel_id: int,
  channel: str,
  kind: str,
  state: str,
  attempts: int,
  created_at: int,
  sent_at: nullable(int),
  next_attempt_at: nullable(int),
  error: nullable(str),
});

export const parseTicket: Parse<Ticket> = shape<Ticket>({
  ...alertFields,
  description: str,
  recommendation: str,
  context: parseContext,
  unit: nullable(str),
  history: list(shape<HistoryEntry>({ id: int, at: int, kind: str, by: nullable(str), detail: anyObject })),
  notifications: list(parseTicketNotification),
});

const figureFields = { count: int, total_s: num, mean_acknowledge_s: nullable(num), mean_resolve_s: nullable(num) };

export const parseSummary: Parse<Summary> = shape<Summary>({
  from: int,
  to: int,
  items: list(
    shape<SummaryRow>({
      rule_id: optional(nullable(int)),
      rule_name: optional(nullable(str)),
      host_id: optional(nullable(str)),
      acknowledged: int,
      resolved: int,
      ...figureFields,
    }),
  ),
  total: shape<SummaryFigures>(figureFields),
});

export const parseHostMarks: Parse<{ items: HostMark[] }> = shape<{ items: HostMark[] }>({ items: list(shape<HostMark>({ host: str, number: int, worst: priority })) });

export const parseAcknowledged: Parse<Acknowledged> = shape<Acknowledged>({ done: int, refused: list(shape<{ id: number; reason: string }>({ id: int, reason: str })) });
