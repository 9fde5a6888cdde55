// Dead letters on a page: what is asked for, how a body that may be anything is shown, and the words
// for what was done. Leaves out fetching and drawing.
import { bytes, count, failureSentence } from './format';

export const LETTER_STREAMS = ['telemetry', 'logs', 'signals', 'inventory'] as const;

export interface LetterFilter {
  stream: string;
  reason: string;
  host: string;
}

export const NO_LETTER_FILTER: LetterFilter = { stream: '', reason: '', host: '' };

/** What a host can be called; the gateway refuses to look for anything else. */
export function isHostName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/u.test(text);
}

export function letterFilterFrom(query: URLSearchParams): LetterFilter {
  const stream = LETTER_STREAMS.find((one) => one === query.get('stream')) ?? '';
  const host = query.get('host') ?? '';
  return { stream, reason: reasonPart(query.get('reason') ?? ''), host: isHostName(host) ? host : '' };
}

export function letterQueryOf({ stream, reason, host }: LetterFilter): URLSearchParams {
  const asked = Object.entries({ stream, reason, host }).filter(([, text]) => text !== '');
  return new URLSearchParams(asked);
}

export function isFiltered(filter: LetterFilter): boolean {
  return letterQueryOf(filter).size > 0;
}

/** As much of a reason as the gateway takes. */
const REASON_CHARS_MAX = 200;

export function reasonPart(reason: string): string {
  return Array.from(reason).slice(0, REASON_CHARS_MAX).join('').trim();
}

/** The filter as part of a sentence: "of telemetry from web-3 whose reason has “NaN”". */
export function filterWords({ stream, reason, host }: LetterFilter): string {
  const parts = [stream && ` of ${stream}`, host && ` from ${host}`, reason && ` whose reason has “${reason}”`];
  return parts.filter(Boolean).join('');
}

export function lettersWords(number: number, atLeast = false): string {
  return `${atLeast ? 'at least ' : ''}${count(number)} dead letter${number === 1 ? '' : 's'}`;
}

export type Deed = 'retry' | 'discard';

/** What became of many; it grows from answer to answer. */
export interface Outcome {
  done: number;
  refused: readonly { id: number; reason: string }[];
}

export const NOTHING_DONE: Outcome = { done: 0, refused: [] };

export function withAnswer(outcome: Outcome, answer: Outcome): Outcome {
  return { done: outcome.done + answer.done, refused: [...outcome.refused, ...answer.refused] };
}

export function outcomeWords(deed: Deed, { done, refused }: Outcome): string {
  const did = deed === 'retry' ? `${lettersWords(done)} published again` : `${lettersWords(done)} discarded`;
  const stay = refused.length === 0 ? '' : `, ${count(refused.length)} refused`;
  const back = deed === 'retry' && done > 0 ? ' What still cannot be stored comes back here.' : '';
  return `${did}${stay}.${back}`;
}

/** The gateway finishes what it has begun whoever listens, and begins no letter later than this. */
const GOES_ON_MS = 15_000;

/** Somewhat later, what it had begun then has ended too. */
export const SETTLED_MS = GOES_ON_MS + 1_000;

/**
 * Whether something may have been done although nobody was told of it; `status` is 0 where the gateway
 * could not be heard. What it refused, it has not begun.
 */
export function mayGoOn(status: number): boolean {
  return status < 400 || status >= 500;
}

/** What became of the rest where something failed. */
export function failedWords(failure: unknown, goesOn: boolean): string {
  const rest = goesOn ? `What was begun is not counted here and may still be finished, for up to ${GOES_ON_MS / 1000} s: the list shows what is left.` : 'The others are as they were.';
  return `Then it failed: ${failureSentence(failure)} ${rest}`;
}

/** The same where it was about one. */
export function failedOneWords(failure: unknown, goesOn: boolean): string {
  const rest = goesOn ? ' It may have been done all the same: the list shows whether it is still there.' : '';
  return `${failureSentence(failure)}${rest}`;
}

/** The reasons of refusals with how often each was given, the most frequent first. */
export function refusals(outcome: Outcome): [reason: string, times: number][] {
  const times = new Map<string, number>();
  for (const { reason } of outcome.refused) times.set(reason, (times.get(reason) ?? 0) + 1);
  return [...times].toSorted(([, a], [, b]) => b - a);
}

export function sizeWords({ size, kept }: { size: number; kept: number }): string {
  return kept < size ? `${bytes(size)}, the first ${bytes(kept)} kept` : bytes(size);
}

export const BODY_VIEWS = ['decoded', 'text', 'hex'] as const;
export type BodyView = (typeof BODY_VIEWS)[number];

/** More is not readable on a page, and megabytes of text would stop it. */
export const SHOWN_BYTES_MAX = 16 * 1024;

export function payloadOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** The way that tells most of it. */
export function firstView(body: unknown, payload: Uint8Array): BodyView {
  if (body !== null) return 'decoded';
  return isText(payload) ? 'text' : 'hex';
}

function isText(payload: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(payload);
    return !payload.some((byte) => byte < 9);
  } catch {
    return false;
  }
}

/** As much of the body as is shown. */
export function bodyText(view: BodyView, body: unknown, payload: Uint8Array): { text: string; isCut: boolean } {
  if (view === 'decoded') {
    const whole = JSON.stringify(body, null, 2);
    return { text: whole.slice(0, 4 * SHOWN_BYTES_MAX), isCut: whole.length > 4 * SHOWN_BYTES_MAX };
  }
  const shown = payload.subarray(0, SHOWN_BYTES_MAX);
  return { text: view === 'hex' ? hexDump(shown) : new TextDecoder().decode(shown), isCut: shown.length < payload.length };
}

const ROW_BYTES = 16;

/** Offset, sixteen bytes, and those of them that can be printed. */
export function hexDump(payload: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < payload.length; at += ROW_BYTES) rows.push(hexRow(at, payload.subarray(at, at + ROW_BYTES)));
  return rows.join('\n');
}

function hexRow(at: number, row: Uint8Array): string {
  const pairs = Array.from(row, (byte) => byte.toString(16).padStart(2, '0'));
  const halves = `${pairs.slice(0, 8).join(' ').padEnd(23)}  ${pairs.slice(8).join(' ').padEnd(23)}`;
  const printed = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.'));
  return `${at.toString(16).padStart(6, '0')}  ${halves}  ${printed.join('')}`;
}
