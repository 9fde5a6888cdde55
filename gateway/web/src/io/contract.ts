// What crosses the wire between the gateway and the dashboard: the types, written by hand, and a
// parser beside each. Leaves out fetching and what the values mean. Imported as types everywhere,
// as values only in `io/`.
import { parseSample, type Sample } from './contract-sample';
import { anyObject, bool, int, list, mapOf, nullable, num, oneOf, optional, plainText, shape, str, type Parse } from './guards';

export * from './contract-ledger';
export * from './contract-sample';

export type HostStatus = 'online' | 'offline' | 'unknown';

export interface Token {
  access_token: string;
  /** Seconds. */
  expires_in: number;
}

export interface Account {
  username: string;
  role: string;
}

/** The newest figures of a host, as lists show them; null is not known. */
export interface Latest {
  at: number;
  uptime_s: number;
  cpu_usage_percent: number | null;
  load_1: number | null;
  load_5: number | null;
  load_15: number | null;
  memory_used_bytes: number | null;
  memory_total_bytes: number | null;
  swap_used_bytes: number | null;
  swap_total_bytes: number | null;
  /** Of the fullest filesystem. */
  disk_used_percent: number | null;
  disk_used_mount: string | null;
  disk_read_bytes_per_s: number | null;
  disk_write_bytes_per_s: number | null;
  network_rx_bytes_per_s: number | null;
  network_tx_bytes_per_s: number | null;
  temperature_max_celsius: number | null;
  processes_total: number | null;
  tcp_connections: number | null;
}

export interface Host {
  id: string;
  status: HostStatus;
  status_since: number;
  first_seen_at: number;
  last_seen_at: number;
  agent_version: string | null;
  labels: Record<string, string>;
  /** What the host said it is; null before its first inventory. */
  location: string | null;
  os: string | null;
  kernel: string | null;
  architecture: string | null;
  cpu_model: string | null;
  cores_logical: number | null;
  latest: Latest | null;
}

export interface HostDetail extends Host {
  sample: Sample | null;
}

export interface HostPage {
  items: Host[];
  next: string | null;
}

export interface MetricSeries {
  name: string;
  instance: string | null;
  unit: string;
  /** The mean of each step; null where there was no sample. */
  values: (number | null)[];
  max: (number | null)[];
}

export interface Metrics {
  host: string;
  from: number;
  to: number;
  step_ms: number;
  source: string;
  timestamps: number[];
  series: MetricSeries[];
}

export interface FleetEvent {
  host: string;
  kind: string;
  at: number;
  detail: Record<string, unknown>;
}

export interface HostPatch {
  id: string;
  latest: Latest;
}

export interface HostsFrame {
  hosts: HostPatch[];
}

/** The header of every durable message, with a telemetry frame as its body. */
export interface TelemetryEnvelope {
  v: number;
  host: string;
  epoch: number;
  seq: number;
  sent_at: number;
  body: { samples: Sample[] };
}

export type ServerFrame =
  | { type: 'ready' }
  | { type: 'subscribed'; topic: string }
  | { type: 'data'; topic: string; at: number; data: unknown }
  | { type: 'dropped'; topic: string; count: number }
  | { type: 'error'; topic: string | null; reason: string };

export const parseToken: Parse<Token> = shape<Token>({ access_token: str, expires_in: num });

export const parseAccount: Parse<Account> = shape<Account>({ username: str, role: str });

export const parseLatest: Parse<Latest> = shape<Latest>({
  at: int,
  uptime_s: int,
  cpu_usage_percent: nullable(num),
  load_1: nullable(num),
  load_5: nullable(num),
  load_15: nullable(num),
  memory_used_bytes: nullable(num),
  memory_total_bytes: nullable(num),
  swap_used_bytes: nullable(num),
  swap_total_bytes: nullable(num),
  disk_used_percent: nullable(num),
  disk_used_mount: nullable(str),
  disk_read_bytes_per_s: nullable(num),
  disk_write_bytes_per_s: nullable(num),
  network_rx_bytes_per_s: nullable(num),
  network_tx_bytes_per_s: nullable(num),
  temperature_max_celsius: nullable(num),
  processes_total: nullable(int),
  tcp_connections: nullable(int),
});

const hostFields = {
  id: str,
  status: oneOf<HostStatus>('online', 'offline', 'unknown'),
  status_since: int,
  first_seen_at: int,
  last_seen_at: int,
  agent_version: nullable(str),
  // Labels come from an operator's configuration, where `rack: 7` is no mistake.
  labels: mapOf(plainText),
  location: nullable(str),
  os: nullable(str),
  kernel: nullable(str),
  architecture: nullable(str),
  cpu_model: nullable(str),
  cores_logical: nullable(int),
  latest: nullable(parseLatest),
};

export const parseHost: Parse<Host> = shape<Host>(hostFields);

export const parseHostPage: Parse<HostPage> = shape<HostPage>({
  items: list(parseHost),
  next: nullable(str),
});

export const parseHostDetail: Parse<HostDetail> = shape<HostDetail>({
  ...hostFields,
  sample: nullable(parseSample),
});

export const parseMetrics: Parse<Metrics> = shape<Metrics>({
  host: str,
  from: int,
  to: int,
  step_ms: int,
  source: str,
  timestamps: list(int),
  series: list(
    shape<MetricSeries>({
      name: str,
      instance: nullable(str),
      unit: str,
      values: list(nullable(num)),
      max: list(nullable(num)),
    }),
  ),
});

export const parseFleetEvent: Parse<FleetEvent> = shape<FleetEvent>({
  host: str,
  kind: str,
  at: int,
  detail: anyObject,
});

export const parseHostsFrame: Parse<HostsFrame> = shape<HostsFrame>({
  hosts: list(shape<HostPatch>({ id: str, latest: parseLatest })),
});

export const parseTelemetryEnvelope: Parse<TelemetryEnvelope> = shape<TelemetryEnvelope>({
  v: int,
  host: str,
  epoch: int,
  seq: int,
  sent_at: int,
  body: shape<{ samples: Sample[] }>({ samples: list(parseSample) }),
});

const parseKind = shape<{ type: ServerFrame['type'] }>({
  type: oneOf<ServerFrame['type']>('ready', 'subscribed', 'data', 'dropped', 'error'),
});

const frameParsers: { [K in ServerFrame['type']]: Parse<Omit<Extract<ServerFrame, { type: K }>, 'type'>> } = {
  ready: () => ({}),
  subscribed: shape<{ topic: string }>({ topic: str }),
  data: shape<{ topic: string; at: number; data: unknown }>({ topic: str, at: int, data: anyObject }),
  dropped: shape<{ topic: string; count: number }>({ topic: str, count: int }),
  error: shape<{ topic: string | null; reason: string }>({ topic: nullable(str), reason: str }),
};

/** One frame of the WebSocket; a topic's `data` is parsed by whoever subscribed to it. */
export const parseServerFrame: Parse<ServerFrame> = (value) => {
  const { type } = parseKind(value);
  return { type, ...frameParsers[type](value) } as ServerFrame;
};

export interface Problem {
  detail: string;
  /** Which field of the request was wrong, where it was one. */
  field: string | null;
}

const parseProblem = shape<Problem>({ detail: str, field: optional(str) });

/** The plain sentence of a problem+json answer, or null where the body is something else. */
export function problemOf(body: unknown): Problem | null {
  try {
    return parseProblem(body);
  } catch {
    return null;
  }
}

/** A metric that can be asked for. */
export interface CatalogueItem {
  name: string;
  unit: string;
  per_instance: boolean;
}

export const parseCatalogue: Parse<{ items: CatalogueItem[] }> = shape<{ items: CatalogueItem[] }>({
  items: list(shape<CatalogueItem>({ name: str, unit: str, per_instance: bool })),
});
