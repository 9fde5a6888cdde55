// What happened to a ticket, in words. A kind that is new to this dashboard is shown as it is called.
import type { HistoryEntry } from '../io/contract-alerts';
import { amountWords } from './alert-units';
import { resolutionWords } from './alerts';
import type { Tone } from './events';

export interface EntryWords {
  title: string;
  /** What somebody wrote, or what else is known. */
  more: string;
  tone: Tone;
}

type Detail = HistoryEntry['detail'];

function textOf(detail: Detail, ...names: string[]): string {
  for (const name of names) {
    const value = detail[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return '';
}

function numberOf(detail: Detail, name: string): number | null {
  const value = detail[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function flag(detail: Detail, ...names: string[]): boolean | null {
  const found = names.map((name) => detail[name]).find((value) => typeof value === 'boolean');
  return typeof found === 'boolean' ? found : null;
}

const comment = (detail: Detail): string => textOf(detail, 'comment', 'text', 'reason');

type Teller = (entry: HistoryEntry, unit: string) => EntryWords;

const TELLERS: Record<string, Teller> = {
  opened: ({ detail }) => ({ title: 'Opened', more: comment(detail), tone: 'bad' }),
  reopened: () => ({ title: 'Open again', more: 'the ticket that had taken its place has ended', tone: 'bad' }),
  acknowledged: ({ detail }) => ({ title: 'Acknowledged', more: comment(detail), tone: 'warm' }),
  unacknowledged: ({ detail }) => ({ title: 'Acknowledgement taken back', more: comment(detail), tone: 'bad' }),
  resolved: ({ detail, by }) => ({ title: 'Resolved', more: comment(detail) || (by === null ? resolutionWords(textOf(detail, 'resolution', 'how')) : ''), tone: 'good' }),
  comment: ({ detail }) => ({ title: 'Comment', more: comment(detail), tone: 'plain' }),
  commented: ({ detail }) => ({ title: 'Comment', more: comment(detail), tone: 'plain' }),
  priority: ({ detail }) => ({ title: 'Priority changed', more: textOf(detail, 'priority', 'to'), tone: 'plain' }),
  value: ({ detail }, unit) => ({ title: 'Value', more: amountWords(numberOf(detail, 'value'), unit), tone: 'plain' }),
  flapping: ({ detail }) =>
    flag(detail, 'flapping', 'is_flapping') === false
      ? { title: 'No longer flapping', more: '', tone: 'plain' }
      : { title: 'Flapping', more: 'it comes and goes: pages are held until it is quiet', tone: 'warm' },
  silenced: ({ detail }) =>
    flag(detail, 'silenced', 'is_silenced') === false ? { title: 'No longer silenced', more: '', tone: 'plain' } : { title: 'Silenced', more: 'nobody is paged', tone: 'plain' },
  superseded: () => ({ title: 'Superseded', more: 'a ticket of a higher priority took its place', tone: 'plain' }),
  current: () => ({ title: 'No longer late', more: 'the breach goes on now', tone: 'bad' }),
  escalated: ({ detail }) => ({ title: 'Escalated', more: comment(detail) || 'nobody had acknowledged', tone: 'warm' }),
  paged: ({ detail }) => ({ title: 'Notified', more: textOf(detail, 'channel', 'kind'), tone: 'plain' }),
  notified: ({ detail }) => ({ title: 'Notified', more: textOf(detail, 'channel', 'kind'), tone: 'plain' }),
};

export function entryWords(entry: HistoryEntry, unit: string): EntryWords {
  const tell = TELLERS[entry.kind];
  if (tell) return tell(entry, unit);
  const words = entry.kind.replaceAll('_', ' ');
  return { title: `${words.charAt(0).toUpperCase()}${words.slice(1)}`, more: comment(entry.detail), tone: 'plain' };
}

const KIND_WORDS: Record<string, string> = { opened: 'That it began', escalated: 'That nobody answers', resolved: 'That it ended', reminder: 'A reminder', test: 'A test' };

/** What a notification tells. */
export function notificationWords(kind: string): string {
  return KIND_WORDS[kind] ?? kind.replaceAll('_', ' ');
}

const STATE_WORDS: Record<string, readonly [words: string, tone: Tone]> = {
  pending: ['Waiting', 'warm'],
  sent: ['Sent', 'good'],
  dead: ['Given up', 'bad'],
  discarded: ['Discarded', 'plain'],
};

export function stateWords(state: string): readonly [words: string, tone: Tone] {
  return STATE_WORDS[state] ?? [state, 'plain'];
}
