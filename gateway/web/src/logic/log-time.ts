// Of what time log lines are wanted, as it is kept in the address: the last hours or days, two
// moments, or any time. Leaves out the clock: now is an argument.
import { timeSpan } from './format';

export const LAST = ['1h', '6h', '24h', '7d', '30d'] as const;
type Last = (typeof LAST)[number];

const HOUR = 3_600_000;
const LAST_MS: Record<Last, number> = { '1h': HOUR, '6h': 6 * HOUR, '24h': 24 * HOUR, '7d': 7 * 24 * HOUR, '30d': 30 * 24 * HOUR };
const LAST_WORDS: Record<Last, string> = { '1h': 'last hour', '6h': 'last 6 hours', '24h': 'last 24 hours', '7d': 'last 7 days', '30d': 'last 30 days' };

/** An end that is null moves with the time. */
export interface LogSpan {
  from: number;
  to: number | null;
}

function isLast(when: string): when is Last {
  return LAST.includes(when as Last);
}

function moments(when: string): { from: number; to: number } | null {
  const found = /^(\d{1,14})-(\d{1,14})$/.exec(when);
  const span = found && { from: Number(found[1]), to: Number(found[2]) };
  return span && span.from < span.to ? span : null;
}

/** What of an address makes a time; nothing otherwise, which is any time. */
export function whenFrom(text: string | null): string {
  return text !== null && (isLast(text) || moments(text)) ? text : '';
}

export function whenOf(from: number, to: number): string {
  return `${Math.round(from)}-${Math.round(to)}`;
}

export function whenSpan(when: string, now: number): LogSpan | null {
  return isLast(when) ? { from: now - LAST_MS[when], to: null } : moments(when);
}

/** As the rest of "400 lines ...". Without a time the counts are of a day. */
export function whenWords(when: string): string {
  const span = moments(when);
  if (span) return timeSpan(span.from, span.to);
  return LAST_WORDS[isLast(when) ? when : '24h'];
}

export function isMoments(when: string): boolean {
  return moments(when) !== null;
}

/** Narrower than this a bar says all there is to say. */
const ZOOM_MS_MIN = 5_000;

export function canZoom(stepMs: number): boolean {
  return stepMs >= ZOOM_MS_MIN;
}
