// What happened to a ticket, in words. A kind that is new to this dashboard is shown as it is called.
import type { HistoryEntry } from '../io/contract-alerts';
import type { DeadNotification } from '../io/contract-channels';
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

const comment = (detail: Detail): string => textOf(detail, 'comment', 'text');

type Teller = (entry: HistoryEntry, unit: string) => EntryWords;

const TELLERS: Record<string, Teller> = {
  opened: ({ detail }, unit) => {
    const value = numberOf(detail, 'value');
    return { title: 'Opened', more: value === null ? '' : `at ${amountWords(value, unit)}`, tone: 'bad' };
  },
  reopened: () => ({ title: 'Open again', more: 'the ticket that had taken its place has ended', tone: 'bad' }),
  acknowledged: ({ detail }) => ({ title: 'Acknowledged', more: comment(detail), tone: 'warm' }),
  unacknowledged: ({ detail }) => ({ title: 'Acknowledgement taken back', more: comment(detail), tone: 'bad' }),
  resolved: ({ detail, by }) => ({ title: 'Resolved', more: comment(detail) || (by === null ? resolutionWords(textOf(detail, 'how')) : ''), tone: 'good' }),
  commented: ({ detail }) => ({ title: 'Comment', more: comment(detail), tone: 'plain' }),
  priority: ({ detail }) => ({ title: 'Priority changed', more: textOf(detail, 'priority'), tone: 'plain' }),
  flapping: () => ({ title: 'Flapping', more: 'it comes and goes: pages are held until it is quiet', tone: 'warm' }),
  quiet: () => ({ title: 'No longer flapping', more: '', tone: 'plain' }),
  silenced: () => ({ title: 'Silenced', more: 'nobody is paged', tone: 'plain' }),
  silence_ended: () => ({ title: 'No longer silenced', more: '', tone: 'plain' }),
  current: () => ({ title: 'No longer late', more: 'the breach goes on now', tone: 'bad' }),
  told_nobody: ({ detail }) => ({ title: 'Nobody was notified', more: untoldWords(detail), tone: 'warm' }),
  notification_retried: ({ detail }) => ({ title: 'Notification sent again', more: textOf(detail, 'channel'), tone: 'plain' }),
  notification_discarded: ({ detail }) => ({ title: 'Notification discarded', more: textOf(detail, 'channel'), tone: 'plain' }),
};

/** Those that have words of their own. */
export const KINDS_KNOWN: readonly string[] = Object.keys(TELLERS);

/** Of what, and why: `kind` is that of the notification. */
function untoldWords(detail: Detail): string {
  const [kind, reason] = [textOf(detail, 'kind'), textOf(detail, 'reason')];
  const about = kind === '' || kind === 'opened' ? '' : `${notificationWords(kind)}: `;
  return `${about}${reason}`;
}

export function entryWords(entry: HistoryEntry, unit: string): EntryWords {
  const tell = TELLERS[entry.kind];
  if (tell) return tell(entry, unit);
  const words = entry.kind.replaceAll('_', ' ');
  return { title: `${words.charAt(0).toUpperCase()}${words.slice(1)}`, more: comment(entry.detail), tone: 'plain' };
}

const KIND_WORDS: Record<string, string> = { opened: 'Opened', escalated: 'Escalation, not acknowledged', resolved: 'Resolved', test: 'Test' };

/** What a notification tells. */
export function notificationWords(kind: string): string {
  return KIND_WORDS[kind] ?? kind.replaceAll('_', ' ');
}

/** One that is tried again and fails again has its number still and begins anew: it is shown again. */
export function burialOf({ id, created_at }: DeadNotification): string {
  return `${id} ${created_at}`;
}

const STATE_WORDS: Record<string, readonly [words: string, tone: Tone]> = {
  pending: ['Waiting', 'warm'],
  sent: ['Sent', 'good'],
  dead: ['Failed', 'bad'],
};

export function stateWords(state: string): readonly [words: string, tone: Tone] {
  return STATE_WORDS[state] ?? [state, 'plain'];
}
