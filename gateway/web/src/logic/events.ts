// What became of a host, in words: its events as a list tells them, and its coming and going as a
// strip of time. Leaves out drawing.
import type { Availability, HostEvent, Presence } from '../io/contract';
import { count, duration, share, timeSpan } from './format';
import { causeWords, messages } from './gaps';

export type Tone = 'good' | 'bad' | 'warm' | 'plain';

export interface EventWords {
  title: string;
  more: string;
  tone: Tone;
  /** The page that has more of it. */
  href?: string;
}

/** The kinds a list can be narrowed to. */
export const EVENT_KINDS: readonly (readonly [kind: string, words: string])[] = [
  ['online', 'Came online'],
  ['offline', 'Went offline'],
  ['gap', 'Messages missing'],
  ['gap_repaired', 'Messages repaired'],
  ['gap_lost', 'Messages lost'],
  ['dead_letters_retried', 'Dead letters retried'],
  ['dead_letters_discarded', 'Dead letters discarded'],
  ['alert_opened', 'Alert opened'],
  ['alert_changed', 'Alert changed'],
  ['alert_resolved', 'Alert resolved'],
];

type Detail = HostEvent['detail'];

function numberOf(detail: Detail, name: string): number | null {
  const value = detail[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function textOf(detail: Detail, name: string): string {
  const value = detail[name];
  return typeof value === 'string' ? value : '';
}

function ofMessages(detail: Detail): string {
  const number = numberOf(detail, 'messages');
  return `${number === null ? 'messages' : messages(number)} of ${textOf(detail, 'channel')}`;
}

function letters(detail: Detail): string {
  const list = detail['letters'];
  const number = Array.isArray(list) ? list.length : 0;
  return `${count(number)} ${number === 1 ? 'dead letter' : 'dead letters'}`;
}

/** The ticket of an event. */
function ticket(detail: Detail): Pick<EventWords, 'more' | 'href'> {
  const id = numberOf(detail, 'id');
  const [priority, status] = [textOf(detail, 'priority'), textOf(detail, 'status')];
  const states = [priority, status].filter((word) => word !== '').join(', ');
  return { more: `${textOf(detail, 'title')}${states === '' ? '' : ` (${states})`}`, ...(id !== null && { href: `/alerts/${id}` }) };
}

const WORDS: Record<string, (event: HostEvent) => EventWords> = {
  online: ({ detail }) => {
    const away = numberOf(detail, 'away_ms');
    return { title: 'Came online', more: away === null ? 'heard for the first time' : `after ${duration(away)} away`, tone: 'good' };
  },
  offline: ({ at, detail }) => {
    const last = numberOf(detail, 'last_heartbeat_at');
    const interval = numberOf(detail, 'interval_ms');
    const expected = interval === null ? '' : `, one is due every ${duration(interval)}`;
    return { title: 'Went offline', more: last === null ? '' : `last heartbeat ${duration(Math.max(0, at - last))} before${expected}`, tone: 'bad' };
  },
  gap: ({ detail }) => ({ title: 'Messages missing', more: `${ofMessages(detail)}; the agent is asked for them`, tone: 'warm' }),
  gap_repaired: ({ detail }) => {
    const attempts = numberOf(detail, 'attempts') ?? 0;
    return { title: 'Messages repaired', more: `${ofMessages(detail)}, here now${attempts > 1 ? `, after ${count(attempts)} attempts` : ''}`, tone: 'good' };
  },
  gap_lost: ({ detail }) => ({ title: 'Messages lost', more: `${ofMessages(detail)}: ${causeWords(textOf(detail, 'cause'))}`, tone: 'bad' }),
  alert_opened: ({ detail }) => ({ title: 'Alert opened', ...ticket(detail), tone: 'bad' }),
  alert_changed: ({ detail }) => ({ title: 'Alert changed', ...ticket(detail), tone: 'warm' }),
  alert_resolved: ({ detail }) => ({ title: 'Alert resolved', ...ticket(detail), tone: 'good' }),
  dead_letters_retried: ({ detail }) => ({ title: 'Dead letters retried', more: `${letters(detail)}, by ${textOf(detail, 'by')}`, tone: 'plain' }),
  dead_letters_discarded: ({ detail }) => ({ title: 'Dead letters discarded', more: `${letters(detail)}, by ${textOf(detail, 'by')}`, tone: 'plain' }),
};

/** A kind that is new to this dashboard is shown as it is called. */
export function eventWords(event: HostEvent): EventWords {
  const words = WORDS[event.kind];
  return words ? words(event) : { title: event.kind.replaceAll('_', ' '), more: '', tone: 'plain' };
}

export interface Segment {
  status: Presence;
  /** Percent of the strip. */
  left: number;
  width: number;
  words: string;
}

const PRESENCE_WORDS: Record<Presence, string> = { online: 'Online', offline: 'Offline', unknown: 'Not known' };

export function segmentsOf({ from, to, intervals }: Availability): Segment[] {
  const whole = Math.max(1, to - from);
  return intervals.map((one) => ({
    status: one.status,
    left: ((one.from - from) / whole) * 100,
    width: ((one.to - one.from) / whole) * 100,
    words: `${PRESENCE_WORDS[one.status]} ${timeSpan(one.from, one.to)}, ${duration(one.to - one.from)}`,
  }));
}

export function availabilityPercent({ percent }: Availability): string {
  return percent === null ? 'not known' : share(percent);
}

/** What stands beside the percentage. */
export function outageWords({ percent, outages, offline_ms, unknown_ms, from, to }: Availability): string {
  if (percent === null) return 'nothing was heard of it';
  const known = unknown_ms >= (to - from) / 100 ? `known for ${duration(to - from - unknown_ms)}` : '';
  const away = offline_ms === 0 ? 'no outage' : `${outages === 0 ? '' : `${count(outages)} ${outages === 1 ? 'outage' : 'outages'}, `}${duration(offline_ms)} offline`;
  return known === '' ? away : `${away}, ${known}`;
}
