// Silences for people: which hold now, which come, which are over; and a form for one, once or
// recurring. What is not allowed is the gateway's to say, by the name of the field.
import { WEEKDAYS, type Recurrence, type Silence, type SilenceDraft, type Weekday } from '../io/contract-channels';
import { duration, moment } from './format';
import { durationText, readDuration } from './quantities';

export type SilenceState = 'active' | 'coming' | 'ended';

export const SILENCE_STATES: readonly (readonly [state: SilenceState, words: string])[] = [
  ['active', 'Active'],
  ['coming', 'Scheduled'],
  ['ended', 'Ended'],
];

export const WEEKDAY_WORDS: Record<Weekday, string> = { mon: 'Mon', tue: 'Tue', wed: 'Wed', thu: 'Thu', fri: 'Fri', sat: 'Sat', sun: 'Sun' };

/** A window that recurs is to come whenever it is not in force. */
export function stateOf(silence: Silence, now: number): SilenceState {
  if (silence.ended_at !== null || (silence.ends_at !== null && silence.ends_at <= now)) return 'ended';
  return silence.is_active ? 'active' : 'coming';
}

/** How many are in force and to come, null before they are known; those that ended are not counted. */
export function silenceCounts(current: readonly Silence[] | null, now: number): Record<SilenceState, number | null> {
  const number = (state: SilenceState) => current && current.filter((silence) => stateOf(silence, now) === state).length;
  return { active: number('active'), coming: number('coming'), ended: null };
}

export function weekdaysWords(weekdays: readonly Weekday[]): string {
  const chosen = WEEKDAYS.filter((day) => weekdays.includes(day));
  if (chosen.length === WEEKDAYS.length) return 'every day';
  if (chosen.join() === 'mon,tue,wed,thu,fri') return 'Mon to Fri';
  return chosen.map((day) => WEEKDAY_WORDS[day]).join(', ');
}

export function recurrenceWords({ weekdays, time, duration_s, zone }: Recurrence): string {
  return `${weekdaysWords(weekdays)} at ${time} for ${durationText(duration_s)}, ${zone}`;
}

/** When it holds. */
export function whenWordsOf(silence: Silence, now: number): string {
  const { recurrence, starts_at, ends_at, ended_at, ended_by } = silence;
  if (ended_at !== null) return `ended by ${ended_by ?? 'somebody'} on ${moment(ended_at)}`;
  const until = ends_at === null ? '' : ends_at <= now ? `until ${moment(ends_at)}` : `until ${moment(ends_at)}, for ${duration(ends_at - Math.max(now, starts_at))}${starts_at > now ? '' : ' more'}`;
  const from = starts_at > now ? `from ${moment(starts_at)}` : '';
  return [recurrence && recurrenceWords(recurrence), from, until].filter(Boolean).join(' ');
}

export interface SilenceForm {
  selector: string;
  /** The number of a rule, or nothing for every rule. */
  rule: string;
  reason: string;
  kind: 'once' | 'recurring';
  /** Values of datetime-local fields; empty: now, and for a recurring one no end. */
  from: string;
  until: string;
  /** How long one that is once lasts, unless `until` says when it ends. */
  lasting: string;
  weekdays: readonly Weekday[];
  time: string;
  window: string;
  zone: string;
}

export const NEW_SILENCE: SilenceForm = {
  selector: '',
  rule: '',
  reason: '',
  kind: 'once',
  from: '',
  until: '',
  lasting: '2 h',
  weekdays: ['sat', 'sun'],
  time: '02:00',
  window: '2 h',
  zone: 'UTC',
};

export const QUICK_LASTING = ['1 h', '4 h', '1 d', '7 d'] as const;

export type SilenceReading = { draft: SilenceDraft } | { field: string; reason: string };

function momentIn(text: string, otherwise: number | null): number | null | undefined {
  if (text === '') return otherwise;
  const read = Date.parse(text);
  return Number.isFinite(read) ? read : undefined;
}

export function silenceOf(form: SilenceForm, now: number): SilenceReading {
  const starts_at = momentIn(form.from, now);
  if (starts_at === undefined || starts_at === null) return { field: 'starts_at', reason: 'This is no date and time' };
  const common = { selector: form.selector.trim(), rule_id: form.rule === '' ? null : Number(form.rule), reason: form.reason.trim(), starts_at: Math.round(starts_at) };
  if (common.reason === '') return { field: 'reason', reason: 'A reason is missing: somebody will ask' };
  const until = momentIn(form.until, null);
  if (until === undefined) return { field: 'ends_at', reason: 'This is no date and time' };
  return form.kind === 'recurring' ? recurring(form, common, until) : once(form, common, until);
}

type Common = Omit<SilenceDraft, 'ends_at' | 'recurrence'>;

function once(form: SilenceForm, common: Common, until: number | null): SilenceReading {
  const lasting = readDuration(form.lasting);
  if (until === null && (lasting === null || lasting === 0)) return { field: 'ends_at', reason: `${form.lasting.trim() || 'Nothing'} is not a duration such as 90 min or 2 h` };
  return { draft: { ...common, ends_at: until ?? common.starts_at + (lasting ?? 0) * 1000, recurrence: null } };
}

function recurring(form: SilenceForm, common: Common, until: number | null): SilenceReading {
  const duration_s = readDuration(form.window);
  if (form.weekdays.length === 0) return { field: 'recurrence.weekdays', reason: 'Choose one or more weekdays' };
  if (duration_s === null || duration_s === 0) return { field: 'recurrence.duration_s', reason: `${form.window.trim() || 'Nothing'} is not a duration such as 90 min or 2 h` };
  const weekdays = WEEKDAYS.filter((day) => form.weekdays.includes(day));
  return { draft: { ...common, ends_at: until, recurrence: { weekdays, time: form.time, duration_s, zone: form.zone.trim() } } };
}

/** What a ticket's silence covers: its rule on its host. */
export function silenceOfTicket({ host_id, rule_id }: { host_id: string | null; rule_id: number }): { selector: string; rule: string } {
  return { selector: host_id === null ? '' : `id=${host_id}`, rule: String(rule_id) };
}

/** Where it is told of: of which hosts and rule. */
export function scopeWords({ selector, rule_id }: SilenceDraft, ruleName: (id: number) => string): string {
  const hosts = selector.trim() === '' ? 'all hosts' : selector;
  return rule_id === null ? `every rule on ${hosts}` : `${ruleName(rule_id)} on ${hosts}`;
}
