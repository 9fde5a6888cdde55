// Log lines on a page: what the filter lets through, and the live tail with its pause and its
// honest count of lines that were left out. Leaves out fetching and drawing.
import { SEVERITIES, type LogLine, type Severity } from '../io/contract-agent';
import { finds, hasField, readSearch } from './log-search';
import { whenFrom } from './log-time';

export interface LogFilter {
  /** This bad or worse; empty for all. */
  severity: Severity | '';
  application: string;
  text: string;
  /** Each `name:value`; a line has to have all of them. */
  fields: readonly string[];
  /** Of what time, as logic/log-time.ts writes it; empty for any. The live tail is of now. */
  when: string;
}

export const NO_LOG_FILTER: LogFilter = { severity: '', application: '', text: '', fields: [], when: '' };

export function logFilterFrom(query: URLSearchParams): LogFilter {
  const severity = SEVERITIES.find((one) => one === query.get('severity')) ?? '';
  return { severity, application: query.get('application') ?? '', text: query.get('text') ?? '', fields: query.getAll('field'), when: whenFrom(query.get('when')) };
}

export function logQueryOf(filter: LogFilter): URLSearchParams {
  const query = new URLSearchParams();
  const { fields, ...rest } = filter;
  for (const [name, value] of Object.entries(rest)) if (value !== '') query.set(name, value);
  for (const field of fields) query.append('field', field);
  return query;
}

/** Also asks for a field; once, however often it is clicked. */
export function withField(filter: LogFilter, field: string): LogFilter {
  return filter.fields.includes(field) ? filter : { ...filter, fields: [...filter.fields, field] };
}

/** The same question that the gateway answers for stored lines. */
export function passes(filter: LogFilter, line: LogLine): boolean {
  if (filter.severity !== '' && SEVERITIES.indexOf(line.severity) > SEVERITIES.indexOf(filter.severity)) return false;
  if (filter.application !== '' && line.application !== filter.application) return false;
  if (!filter.fields.every((field) => hasField(line.fields, field))) return false;
  return finds(readSearch(filter.text), line.message);
}

export interface TailLine extends LogLine {
  /** Counts up; tells lines apart that say the same. */
  id: string;
}

export interface Tail {
  phase: 'waiting' | 'live' | 'silent';
  reason: string | null;
  /** Newest first. */
  lines: readonly TailLine[];
  /** What came while it was paused, newest first. */
  held: readonly TailLine[];
  paused: boolean;
  /** Lines that never reached this page because there were too many. */
  dropped: number;
  count: number;
}

/** Some dozens of screens; more would make the page slow and nobody scrolls so far. */
export const TAIL_MAX = 1_000;

export const TAIL_START: Tail = { phase: 'waiting', reason: null, lines: [], held: [], paused: false, dropped: 0, count: 0 };

export function withLines(tail: Tail, lines: readonly LogLine[]): Tail {
  const numbered = lines.map((line, index) => ({ ...line, id: String(tail.count + index) })).toReversed();
  const count = tail.count + lines.length;
  const into = tail.paused ? tail.held : tail.lines;
  const kept = [...numbered, ...into].slice(0, TAIL_MAX);
  return { ...tail, phase: 'live', reason: null, count, ...(tail.paused ? { held: kept } : { lines: kept }) };
}

export function withDropped(tail: Tail, count: number): Tail {
  return { ...tail, dropped: tail.dropped + count };
}

export function withTrouble(tail: Tail, reason: string): Tail {
  return { ...tail, phase: 'silent', reason };
}

/** The gateway listens again: whoever was silent may speak now. */
export function listening(tail: Tail): Tail {
  return tail.phase === 'silent' ? tail : { ...tail, phase: 'live' };
}

export function paused(tail: Tail, on: boolean): Tail {
  if (on) return { ...tail, paused: true };
  return { ...tail, paused: false, held: [], lines: [...tail.held, ...tail.lines].slice(0, TAIL_MAX) };
}

/** The first line, which says what it is, and whether there is more to unfold. */
export function headline(line: LogLine): { text: string; more: boolean } {
  const [first = '', ...rest] = line.message.split('\n');
  return { text: first, more: rest.length > 0 || Object.keys(line.fields).length > 0 || line.truncated_bytes > 0 };
}

export function applicationsOf(lines: readonly LogLine[]): string[] {
  return [...new Set(lines.map((line) => line.application))].filter((name) => name !== '').toSorted();
}
