// What a ticket's page shows of its time: the span around the breach, the metric's line with the
// threshold, and the band of the episode. Leaves out fetching and drawing.
import type { Metrics } from '../io/contract';
import type { Alert } from '../io/contract-alerts';
import { CLOCK_OFFSET, LOG_ERROR_RATE, OFFLINE } from './alert-units';
import type { ChartData } from './chart-data';
import { duration } from './format';
import type { Band } from './gaps';
import type { Span } from './range';

const MINUTE = 60_000;

/** Enough before and after to see what was usual. */
const AROUND_MS_MIN = 15 * MINUTE;
/** More than this would make a short breach a hair. */
const AROUND_MS_MAX = 6 * 60 * MINUTE;

/** Around the whole episode: half as much again on either side. */
export function spanAround({ begun_at, resolved_at }: Alert, now: number): Span {
  const end = Math.max(begun_at, resolved_at ?? now);
  const around = Math.min(AROUND_MS_MAX, Math.max(AROUND_MS_MIN, (end - begun_at) / 2));
  return { from: begun_at - around, to: Math.max(begun_at + MINUTE, Math.min(now, end + around)) };
}

/** Log lines matter most before it began and while it began. */
const LOGS_BEFORE_MS = 10 * MINUTE;
const LOGS_MS_MAX = 2 * 60 * MINUTE;

export function logSpan({ begun_at, resolved_at }: Alert, now: number): Span {
  const from = begun_at - LOGS_BEFORE_MS;
  return { from, to: Math.min(from + LOGS_MS_MAX, Math.max(begun_at + MINUTE, (resolved_at ?? now) + MINUTE)) };
}

/** Of what no sample holds there is no line to draw. */
export function isDrawn({ host_id, metric }: Alert): boolean {
  return host_id !== null && ![LOG_ERROR_RATE, CLOCK_OFFSET, OFFLINE].includes(metric);
}

/** From the breach to its end, or to now; what lasted before somebody is told is part of it. */
export function episodeBand({ begun_at, resolved_at }: Pick<Alert, 'begun_at' | 'resolved_at'>, now: number): Band {
  const to = resolved_at ?? now;
  return { from: begun_at, to, lost: false, tone: 'episode', words: `breached for ${duration(Math.max(0, to - begun_at))}` };
}

/** One line of one metric: of this instance, or of all where none is named. */
export function metricData(metrics: Metrics, metric: string, wanted: (instance: string) => boolean): ChartData {
  const series = metrics.series.filter((one) => one.name === metric && wanted(one.instance ?? ''));
  const lines = series.slice(0, LINES_MAX).map((one, index) => ({
    key: `${metric}/${one.instance ?? ''}`,
    label: one.instance === null || one.instance === '' ? metric : one.instance,
    values: one.values,
    peak: series.length === 1 ? one.max : null,
    dashed: false,
    color: index,
  }));
  return { timestamps: metrics.timestamps, from: metrics.from, to: metrics.to, lines, hidden: series.length - lines.length };
}

/** As many as can be told apart. */
const LINES_MAX = 8;

/** As a rule names instances: all, one, or those that begin so. */
export function instanceFilter(pattern: string | null): (instance: string) => boolean {
  if (pattern === null || pattern === '') return () => true;
  if (pattern.endsWith('*')) return (instance) => instance.startsWith(pattern.slice(0, -1));
  return (instance) => instance === pattern;
}
