// Where data is held, as the gateway tells it: types and the parsers beside them. Leaves out
// fetching, and what the figures mean.
import { bool, int, list, mapOf, nullable, num, oneOf, shape, str, type Parse } from './guards';

export const STAGES = ['agents', 'broker', 'workers', 'database'] as const;
export type StageName = (typeof STAGES)[number];

export type StageState = 'ok' | 'held' | 'down';

/** What each stage begins with. */
export interface Verdict {
  state: StageState;
  sentence: string;
  /** Seconds it can hold what comes, if nothing leaves it; null where that is not known. */
  can_hold_s: number | null;
  /** When the figures were read; old where the stage cannot be asked. */
  as_of: number | null;
}

export interface FullestJournal {
  host: string;
  waiting: number;
  bytes: number;
  bytes_max: number;
  full_percent: number;
  fill_bytes_per_s: number | null;
  can_hold_s: number | null;
}

export interface AgentsStage extends Verdict {
  hosts: number;
  hosts_with_backlog: number;
  waiting: number;
  bytes: number;
  dropped: number;
  fullest: FullestJournal | null;
}

export interface StreamReport {
  name: string;
  messages: number;
  bytes: number;
  bytes_max: number;
  age_s_max: number;
  oldest_at: number | null;
  inflow_bytes_per_s: number | null;
  /** Null for streams that nobody consumes. */
  can_hold_s: number | null;
}

export interface ConsumerReport {
  name: string;
  stream: string;
  pending: number;
  ack_pending: number;
  redelivered: number;
  waiting_requests: number;
  lag_s: number;
}

export interface BrokerStage extends Verdict {
  streams: StreamReport[];
  consumers: ConsumerReport[];
}

export interface Trouble {
  at: number;
  reason: string;
}

/** One channel of a worker; counts since it was started. */
export interface ChannelWork {
  messages_per_s: number;
  rows_per_s: number;
  messages: number;
  batch_messages: number;
  commit_ms_p50: number | null;
  commit_ms_p99: number | null;
  redelivered: number;
  duplicates: number;
  dead_letters: number;
  lag_ms: number;
  last_error: Trouble | null;
  held: Trouble | null;
}

export interface Worker {
  id: string;
  kind: string;
  hostname: string;
  pid: number;
  version: string;
  started_at: number;
  seen_at: number;
  /** Not heard for half a minute. */
  gone: boolean;
  held: Trouble | null;
  channels: Record<string, ChannelWork>;
}

export interface WorkersStage extends Verdict {
  lag_s: number;
  waiting: number;
  items: Worker[];
}

export interface DatabaseStage extends Verdict {
  version: string;
  engine: string;
  connections: number;
  connections_max: number;
  answer_ms: number;
  commit_ms_p99: number | null;
  oldest_transaction_s: number;
  size_bytes: number | null;
}

export interface LedgerTotals extends Verdict {
  hosts_with_gaps: number;
  gaps: number;
  missing: number;
  dropped: number;
}

export interface DeadLetterTotals extends Verdict {
  count: number;
  bytes: number;
  oldest_at: number | null;
}

export interface Pipeline {
  at: number;
  state: StageState;
  /** Null where nothing is held. */
  held_at: StageName | null;
  sentence: string;
  agents: AgentsStage;
  broker: BrokerStage;
  workers: WorkersStage;
  database: DatabaseStage;
  ledger: LedgerTotals;
  dead_letters: DeadLetterTotals;
}

const state = oneOf<StageState>('ok', 'held', 'down');

const verdict = { state, sentence: str, can_hold_s: nullable(int), as_of: nullable(int) };

const trouble = nullable(shape<Trouble>({ at: int, reason: str }));

const fullest = shape<FullestJournal>({
  host: str,
  waiting: int,
  bytes: int,
  bytes_max: int,
  full_percent: num,
  fill_bytes_per_s: nullable(num),
  can_hold_s: nullable(int),
});

const stream = shape<StreamReport>({
  name: str,
  messages: int,
  bytes: int,
  bytes_max: int,
  age_s_max: int,
  oldest_at: nullable(int),
  inflow_bytes_per_s: nullable(num),
  can_hold_s: nullable(int),
});

const consumer = shape<ConsumerReport>({
  name: str,
  stream: str,
  pending: int,
  ack_pending: int,
  redelivered: int,
  waiting_requests: int,
  lag_s: num,
});

const channelWork = shape<ChannelWork>({
  messages_per_s: num,
  rows_per_s: num,
  messages: int,
  batch_messages: int,
  commit_ms_p50: nullable(num),
  commit_ms_p99: nullable(num),
  redelivered: int,
  duplicates: int,
  dead_letters: int,
  lag_ms: int,
  last_error: trouble,
  held: trouble,
});

const worker = shape<Worker>({
  id: str,
  kind: str,
  hostname: str,
  pid: int,
  version: str,
  started_at: int,
  seen_at: int,
  gone: bool,
  held: trouble,
  channels: mapOf(channelWork),
});

export const parsePipeline: Parse<Pipeline> = shape<Pipeline>({
  at: int,
  state,
  held_at: nullable(oneOf<StageName>(...STAGES)),
  sentence: str,
  agents: shape<AgentsStage>({ ...verdict, hosts: int, hosts_with_backlog: int, waiting: int, bytes: int, dropped: int, fullest: nullable(fullest) }),
  broker: shape<BrokerStage>({ ...verdict, streams: list(stream), consumers: list(consumer) }),
  workers: shape<WorkersStage>({ ...verdict, lag_s: num, waiting: int, items: list(worker) }),
  database: shape<DatabaseStage>({
    ...verdict,
    version: str,
    engine: str,
    connections: int,
    connections_max: int,
    answer_ms: num,
    commit_ms_p99: nullable(num),
    oldest_transaction_s: num,
    size_bytes: nullable(int),
  }),
  ledger: shape<LedgerTotals>({ ...verdict, hosts_with_gaps: int, gaps: int, missing: int, dropped: int }),
  dead_letters: shape<DeadLetterTotals>({ ...verdict, count: int, bytes: int, oldest_at: nullable(int) }),
});
