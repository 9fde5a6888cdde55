// What agents say besides figures, and what they are told: log lines, inventory, health, settings.
// Types and parsers; leaves out fetching and meaning.
import { parseProcess, type Process } from './contract-sample';
import { absentAs, bool, int, list, mapOf, nullable, num, oneOf, optional, shape, str, type Parse } from './guards';

export const SEVERITIES = ['critical', 'failure', 'error', 'warn', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One line, or several that belong together, as an agent sends it live. */
export interface LogLine {
  at: number;
  severity: Severity;
  application: string;
  source: string;
  message: string;
  /** How many bytes were cut off. */
  truncated_bytes: number;
  /** How many lines this one stands for that were left out. */
  suppressed: number;
  fields: Record<string, string>;
}

/** The same as it is stored. */
export interface StoredLine extends LogLine {
  id: string;
  host: string;
  received_at: number;
}

export interface LinePage {
  items: StoredLine[];
  next: string | null;
  /** Where the search was cut off: what is later was looked at. Older gateways do not say. */
  searched_until: number | null;
}

/** Lines by severity and step; null where they were not counted. */
export interface LineCounts {
  from: number;
  to: number;
  step_ms: number;
  timestamps: number[];
  series: { severity: Severity; counts: (number | null)[] }[];
  searched_until: number | null;
}

export interface SystemInfo {
  hostname: string;
  os: string;
  kernel: string;
  architecture: string;
  cpu_model: string;
  cores_physical: number;
  cores_logical: number;
  memory_bytes: number;
  disks: { device: string; model: string; bytes: number; rotational: boolean }[];
  interfaces: { name: string; mac: string; addresses: string[] }[];
  virtualisation: string;
  booted_at: number;
  agent_version: string;
  labels: Record<string, string>;
  location: string;
  users: string[];
}

/** What can be set centrally; null is left to a wider scope or the host's own file. */
export interface Settings {
  sample_interval_ms: number | null;
  publish_interval_ms: number | null;
  heartbeat_interval_ms: number | null;
  log_paths: string[] | null;
  labels: Record<string, string> | null;
  location: string | null;
  collectors: Record<string, boolean> | null;
  mask_arguments: string[] | null;
}

/** What an agent made of it. */
export interface AppliedConfiguration {
  version: number;
  settings: Settings;
  conditions: number;
  pinned: string[];
  refused: { version: number; reason: string } | null;
}

export interface Inventory {
  system: { at: number; detail: SystemInfo } | null;
  configuration: { at: number; detail: AppliedConfiguration } | null;
}

export interface ProcessList {
  at: number | null;
  live: boolean;
  items: Process[];
  left_out: number;
}

interface JournalHealth {
  waiting: number;
  bytes: number;
  bytes_max: number;
}

export interface Heartbeat {
  agent_version: string;
  interval_ms: number;
  agent_uptime_s: number;
  journal: JournalHealth;
  collector_errors: Record<string, string>;
  clock_offset_ms: number | null;
  log_lines_read: number;
  log_lines_suppressed: number;
}

export interface AgentHealth {
  healthy: boolean;
  collector_errors: Record<string, string>;
  journal: JournalHealth;
  clock_offset_ms: number | null;
}

export interface AgentStatus {
  epoch: number;
  configuration_version: number;
  log_files: number;
}

export interface Agent {
  heartbeat: Heartbeat | null;
  heartbeat_at: number | null;
  /** What it says now; null where it does not answer. */
  health: AgentHealth | null;
  status: AgentStatus | null;
  trouble: string | null;
}

export interface StoredSettings {
  version: number;
  updated_at: number | null;
  updated_by: string | null;
  settings: Settings;
}

export interface TakenSettings extends StoredSettings {
  applied: AppliedConfiguration | null;
  trouble: string | null;
}

const texts = mapOf(str);

const lineFields = {
  at: int,
  severity: oneOf<Severity>(...SEVERITIES),
  application: str,
  source: str,
  message: str,
  truncated_bytes: absentAs(0, int),
  suppressed: absentAs(0, int),
  fields: absentAs<Record<string, string>>({}, texts),
};

export const parseLine: Parse<LogLine> = shape<LogLine>(lineFields);

export const parseLinePage: Parse<LinePage> = shape<LinePage>({
  items: list(shape<StoredLine>({ ...lineFields, id: str, host: str, received_at: int })),
  next: nullable(str),
  searched_until: absentAs<number | null>(null, nullable(int)),
});

export const parseLineCounts: Parse<LineCounts> = shape<LineCounts>({
  from: int,
  to: int,
  step_ms: int,
  timestamps: list(int),
  series: list(shape<LineCounts['series'][number]>({ severity: oneOf<Severity>(...SEVERITIES), counts: list(nullable(int)) })),
  searched_until: nullable(int),
});

/** The data of the topic `host/<id>/logs`. */
export const parseLiveLines: Parse<{ lines: LogLine[] }> = shape<{ lines: LogLine[] }>({ lines: list(parseLine) });

export const parseSystemInfo: Parse<SystemInfo> = shape<SystemInfo>({
  hostname: str,
  os: str,
  kernel: str,
  architecture: str,
  cpu_model: str,
  cores_physical: int,
  cores_logical: int,
  memory_bytes: num,
  disks: absentAs<SystemInfo['disks']>(
    [],
    list(shape<SystemInfo['disks'][number]>({ device: str, model: absentAs('', str), bytes: num, rotational: absentAs(false, bool) })),
  ),
  interfaces: absentAs<SystemInfo['interfaces']>(
    [],
    list(shape<SystemInfo['interfaces'][number]>({ name: str, mac: absentAs('', str), addresses: absentAs<string[]>([], list(str)) })),
  ),
  virtualisation: absentAs('', str),
  booted_at: int,
  agent_version: str,
  labels: absentAs<Record<string, string>>({}, texts),
  location: absentAs('', str),
  users: absentAs<string[]>([], list(str)),
});

export const parseSettings: Parse<Settings> = shape<Settings>({
  sample_interval_ms: optional(int),
  publish_interval_ms: optional(int),
  heartbeat_interval_ms: optional(int),
  log_paths: optional(list(str)),
  labels: optional(texts),
  location: optional(str),
  collectors: optional(mapOf(bool)),
  mask_arguments: optional(list(str)),
});

export const parseApplied: Parse<AppliedConfiguration> = shape<AppliedConfiguration>({
  version: int,
  settings: parseSettings,
  conditions: int,
  pinned: absentAs<string[]>([], list(str)),
  refused: optional(shape<{ version: number; reason: string }>({ version: int, reason: str })),
});

/** Kinds that are new to this dashboard are passed over. */
export const parseInventory: Parse<Inventory> = (value) => {
  const anyItem = shape<{ kind: string; at: number; detail: unknown }>({ kind: str, at: int, detail: (detail) => detail });
  const { items } = shape<{ items: { kind: string; at: number; detail: unknown }[] }>({ items: list(anyItem) })(value);
  const of = <T>(kind: string, parse: Parse<T>): { at: number; detail: T } | null => {
    const found = items.find((item) => item.kind === kind);
    return found ? { at: found.at, detail: parse(found.detail) } : null;
  };
  return { system: of('system', parseSystemInfo), configuration: of('configuration', parseApplied) };
};

export const parseProcessList: Parse<ProcessList> = shape<ProcessList>({
  at: nullable(int),
  live: bool,
  items: list(parseProcess),
  left_out: int,
});

const parseJournal = shape<JournalHealth>({ waiting: int, bytes: num, bytes_max: num });

export const parseHeartbeat: Parse<Heartbeat> = shape<Heartbeat>({
  agent_version: str,
  interval_ms: int,
  agent_uptime_s: int,
  journal: absentAs<JournalHealth>({ waiting: 0, bytes: 0, bytes_max: 0 }, parseJournal),
  collector_errors: absentAs<Record<string, string>>({}, texts),
  clock_offset_ms: optional(int),
  log_lines_read: absentAs(0, int),
  log_lines_suppressed: absentAs(0, int),
});

export const parseAgent: Parse<Agent> = shape<Agent>({
  heartbeat: nullable(parseHeartbeat),
  heartbeat_at: nullable(int),
  health: nullable(
    shape<AgentHealth>({
      healthy: bool,
      collector_errors: absentAs<Record<string, string>>({}, texts),
      journal: parseJournal,
      clock_offset_ms: absentAs<number | null>(null, nullable(int)),
    }),
  ),
  status: nullable(shape<AgentStatus>({ epoch: int, configuration_version: int, log_files: int })),
  trouble: nullable(str),
});

const storedFields = {
  version: int,
  updated_at: nullable(int),
  updated_by: nullable(str),
  settings: parseSettings,
};

export const parseStoredSettings: Parse<StoredSettings> = shape<StoredSettings>(storedFields);

export const parseTakenSettings: Parse<TakenSettings> = shape<TakenSettings>({
  ...storedFields,
  applied: nullable(parseApplied),
  trouble: nullable(str),
});
