// Where notifications go, those that could not be sent, silences and the dead-man's switch: the types
// and their parsers. Secrets never come over the wire; in their place stands that they are stored.
import { absentAs, anyObject, bool, int, list, nullable, num, oneOf, optional, shape, str, type Parse } from './guards';

export interface Channel {
  id: number;
  name: string;
  kind: string;
  /** Its fields depend on the kind; see logic/channel-kinds.ts. */
  definition: Record<string, unknown>;
  is_default: boolean;
  enabled: boolean;
  updated_at: number;
  updated_by: string | null;
  version: number;
  sent_24h: number;
  dead_24h: number;
  last_error: string | null;
  waiting: number;
}

export interface ChannelDraft {
  name: string;
  is_default: boolean;
  enabled: boolean;
  definition: Record<string, unknown>;
}

export interface NotificationState {
  id: number;
  state: string;
  attempts: number;
  error: string | null;
  sent_at: number | null;
}

/** One that could not be sent. */
export interface DeadNotification extends NotificationState {
  channel_id: number;
  channel: string;
  kind: string;
  created_at: number;
  /** Of the most urgent of the tickets it tells of. */
  title: string;
  alert_ids: number[];
}

export interface DeadPage {
  items: DeadNotification[];
  next: string | null;
}

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export interface Recurrence {
  weekdays: Weekday[];
  /** `HH:MM`. */
  time: string;
  duration_s: number;
  zone: string;
}

export interface SilenceDraft {
  selector: string;
  rule_id: number | null;
  reason: string;
  starts_at: number;
  /** Only a recurring one may go on for ever. */
  ends_at: number | null;
  recurrence: Recurrence | null;
}

export interface Silence extends SilenceDraft {
  id: number;
  author: string;
  created_at: number;
  ended_at: number | null;
  ended_by: string | null;
  is_active: boolean;
  /** How many hosts its selector selects now; null where that is not said. */
  hosts_selected: number | null;
}

export interface SilencePage {
  items: Silence[];
  next: string | null;
}

export interface Deadman {
  version: number;
  url: string | null;
  interval_s: number;
  /** When the address was last requested. */
  last_at: number | null;
  /** When it last answered with success; null also of a gateway that does not say. */
  last_ok_at: number | null;
  last_error: string | null;
}

export const parseChannel: Parse<Channel> = shape<Channel>({
  id: int,
  name: str,
  kind: str,
  definition: anyObject,
  is_default: bool,
  enabled: bool,
  updated_at: int,
  updated_by: nullable(str),
  version: int,
  sent_24h: int,
  dead_24h: int,
  last_error: nullable(str),
  waiting: int,
});

export const parseChannels: Parse<{ items: Channel[] }> = shape<{ items: Channel[] }>({ items: list(parseChannel) });

export const parseTested: Parse<{ notification_id: number }> = shape<{ notification_id: number }>({ notification_id: int });

const stateFields = { id: int, state: str, attempts: int, error: nullable(str), sent_at: optional(nullable(int)) };

export const parseNotificationState: Parse<NotificationState> = shape<NotificationState>(stateFields);

export const parseDeadPage: Parse<DeadPage> = shape<DeadPage>({
  items: list(shape<DeadNotification>({ ...stateFields, channel_id: int, channel: str, kind: str, created_at: int, title: absentAs('', str), alert_ids: absentAs<number[]>([], list(int)) })),
  next: nullable(str),
});

export const parseSilence: Parse<Silence> = shape<Silence>({
  id: int,
  selector: str,
  rule_id: nullable(int),
  reason: str,
  author: str,
  starts_at: int,
  ends_at: nullable(int),
  recurrence: nullable(shape<Recurrence>({ weekdays: list(oneOf<Weekday>(...WEEKDAYS)), time: str, duration_s: int, zone: str })),
  created_at: int,
  ended_at: nullable(int),
  ended_by: nullable(str),
  is_active: bool,
  hosts_selected: optional(nullable(int)),
});

export const parseSilences: Parse<SilencePage> = shape<SilencePage>({ items: list(parseSilence), next: nullable(str) });

export const parseDeadman: Parse<Deadman> = shape<Deadman>({
  version: int,
  url: nullable(str),
  interval_s: absentAs(60, num),
  last_at: nullable(int),
  last_ok_at: optional(nullable(int)),
  last_error: nullable(str),
});
