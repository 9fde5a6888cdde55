// How much of what agents sent is here, when a host was there, and what became of it: the types and
// their parsers. Leaves out what the values mean.
import { anyObject, int, list, nullable, num, oneOf, shape, str, type Parse } from './guards';

export interface Gap {
  epoch: number;
  /** The first and the last missing sequence number. */
  from: number;
  to: number;
  since: number;
  /** About when these were written; null until the gap was confirmed. */
  from_at: number | null;
  to_at: number | null;
  /** `open`, `repairing`, `lost`; a state that is new to this dashboard is shown as it is. */
  state: string;
  /** Why it is lost. */
  cause: string | null;
  attempts: number;
}

export interface ChannelCompleteness {
  channel: string;
  percent: number;
  stored: number;
  dead: number;
  gaps: Gap[];
  repaired: number;
  lost: number;
}

/** Messages that were stored much later than they were written. */
export interface Backfill {
  channel: string;
  from: number;
  to: number;
  messages: number;
  at: number;
}

export interface Completeness {
  percent: number;
  channels: ChannelCompleteness[];
  backfilled: Backfill[];
}

export interface GapCounts {
  open: number;
  repairing: number;
  repaired: number;
  lost: number;
}

export interface FleetChannel {
  channel: string;
  percent: number;
  stored: number;
  dead: number;
  /** What is lost included. */
  missing: number;
  repaired: number;
  lost: number;
}

/** Messages that came late, over all hosts. */
export interface FleetBackfill {
  channel: string;
  hosts: number;
  ranges: number;
  messages: number;
  /** When the last of them was stored. */
  latest_at: number;
}

export interface LackingHost {
  id: string;
  percent: number;
  missing: number;
  repaired: number;
  lost: number;
  gaps_open: number;
}

export interface FleetCompleteness {
  percent: number;
  gaps: GapCounts;
  channels: FleetChannel[];
  /** Of the channels that had any. */
  backfilled: FleetBackfill[];
  hosts: { items: LackingHost[]; next: string | null };
}

export type Presence = 'online' | 'offline' | 'unknown';

export interface PresenceInterval {
  status: Presence;
  from: number;
  to: number;
}

export interface Availability {
  from: number;
  to: number;
  /** Of the time of which it is known; null where nothing is. */
  percent: number | null;
  online_ms: number;
  offline_ms: number;
  unknown_ms: number;
  outages: number;
  intervals: PresenceInterval[];
}

export interface HostEvent {
  id: string;
  at: number;
  kind: string;
  detail: Record<string, unknown>;
}

export interface EventPage {
  items: HostEvent[];
  next: string | null;
}

const parseGap = shape<Gap>({
  epoch: int,
  from: int,
  to: int,
  since: int,
  from_at: nullable(int),
  to_at: nullable(int),
  state: str,
  cause: nullable(str),
  attempts: int,
});

export const parseCompleteness: Parse<Completeness> = shape<Completeness>({
  percent: num,
  channels: list(
    shape<ChannelCompleteness>({ channel: str, percent: num, stored: int, dead: int, gaps: list(parseGap), repaired: int, lost: int }),
  ),
  backfilled: list(shape<Backfill>({ channel: str, from: int, to: int, messages: int, at: int })),
});

export const parseFleetCompleteness: Parse<FleetCompleteness> = shape<FleetCompleteness>({
  percent: num,
  gaps: shape<GapCounts>({ open: int, repairing: int, repaired: int, lost: int }),
  channels: list(
    shape<FleetChannel>({ channel: str, percent: num, stored: int, dead: int, missing: int, repaired: int, lost: int }),
  ),
  backfilled: list(shape<FleetBackfill>({ channel: str, hosts: int, ranges: int, messages: int, latest_at: int })),
  hosts: shape<FleetCompleteness['hosts']>({
    items: list(shape<LackingHost>({ id: str, percent: num, missing: int, repaired: int, lost: int, gaps_open: int })),
    next: nullable(str),
  }),
});

export const parseAvailability: Parse<Availability> = shape<Availability>({
  from: int,
  to: int,
  percent: nullable(num),
  online_ms: int,
  offline_ms: int,
  unknown_ms: int,
  outages: int,
  intervals: list(shape<PresenceInterval>({ status: oneOf<Presence>('online', 'offline', 'unknown'), from: int, to: int })),
});

export const parseEventPage: Parse<EventPage> = shape<EventPage>({
  items: list(shape<HostEvent>({ id: str, at: int, kind: str, detail: anyObject })),
  next: nullable(str),
});
