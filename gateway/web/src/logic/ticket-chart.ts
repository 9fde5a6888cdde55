// What a ticket's page shows of its time: the span around the breach, the metric's line with the
// threshold, or a line of each host of a group, and the band of the episode. Leaves out fetching and
// drawing.
import type { Metrics } from '../io/contract';
import type { Alert, Ticket } from '../io/contract-alerts';
import { CLOCK_OFFSET, LOG_ERROR_RATE, OFFLINE } from './alert-units';
import type { ChartData } from './chart-data';
import { count, duration } from './format';
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

/** Why a host went away stands in what it said last; what it says when it is back would hide that. */
function lastWordsSpan({ begun_at, resolved_at }: Alert): Span {
  // A clock that is a little ahead dates the last words after it went away.
  return { from: begun_at - LAST_WORDS_MS, to: Math.min(begun_at + MINUTE, resolved_at ?? Infinity) };
}

/** A host that is quiet says little in ten minutes. */
const LAST_WORDS_MS = 30 * MINUTE;

export function logWords({ metric, host_id }: Alert): string {
  if (host_id === null) return 'Errors logged by all hosts';
  return metric === OFFLINE ? 'Log lines before it went away' : 'Log lines';
}

export function logSpan(ticket: Alert, now: number): Span {
  if (ticket.metric === OFFLINE) return lastWordsSpan(ticket);
  const { begun_at, resolved_at } = ticket;
  const from = begun_at - LOGS_BEFORE_MS;
  return { from, to: Math.min(from + LOGS_MS_MAX, Math.max(begun_at + MINUTE, (resolved_at ?? now) + MINUTE)) };
}

/** How busy a host was around it says most of what samples can say of any trouble. */
const STAND_IN = 'cpu.usage_percent';

/**
 * The metric whose line is drawn; null for log lines, which are counted instead. No sample says that a
 * host was away or that its clock was off: what it did before, and when it was back, is drawn then.
 */
export function drawnMetric({ metric }: Pick<Alert, 'metric'>): string | null {
  if (metric === LOG_ERROR_RATE) return null;
  return metric === OFFLINE || metric === CLOCK_OFFSET ? STAND_IN : metric;
}

const EPISODE_WORDS: Record<string, string> = { [OFFLINE]: 'offline', [CLOCK_OFFSET]: 'clock off' };

/** Of which hosts lines are drawn: its own, or the first of those that its ticket names. */
export function hostsDrawn({ host_id, context }: Ticket): string[] {
  return host_id === null ? context.hosts.slice(0, LINES_MAX) : [host_id];
}

/** From the breach to its end, or to now; what lasted before somebody is told is part of it. */
export function episodeBand({ metric, begun_at, resolved_at }: Pick<Alert, 'metric' | 'begun_at' | 'resolved_at'>, now: number): Band {
  const to = resolved_at ?? now;
  return { from: begun_at, to, lost: false, tone: 'episode', words: `${EPISODE_WORDS[metric] ?? 'breached'} for ${duration(Math.max(0, to - begun_at))}` };
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

type Series = Metrics['series'][number];

const highest = ({ values }: Series): number => values.reduce<number>((top, value) => Math.max(top, value ?? -Infinity), -Infinity);

/** Values at the times of another answer: of a host that is kept as finely they are all of them. */
function valuesAt(timestamps: readonly number[], own: Metrics, values: Series['values']): Series['values'] {
  const known = new Map(own.timestamps.map((at, index) => [at, values[index] ?? null]));
  return timestamps.map((at) => known.get(at) ?? null);
}

/**
 * One metric of several hosts, each with its loudest instance before any has a second. Hosts may be
 * kept differently long: the coarsest steps are the axis.
 */
export function groupData(answers: readonly Metrics[], metric: string): ChartData | null {
  const [coarsest] = answers.toSorted((a, b) => b.step_ms - a.step_ms);
  if (!coarsest) return null;
  const { timestamps, from, to } = coarsest;
  const ranked = answers.flatMap((answer) =>
    answer.series
      .filter(({ name, values }) => name === metric && values.some((value) => value !== null))
      .toSorted((a, b) => highest(b) - highest(a))
      .map((series, rank) => ({ answer, series, rank })),
  );
  const lines = ranked
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, LINES_MAX)
    .map(({ answer, series: { instance, values } }, color) => ({
      key: `${answer.host}/${instance ?? ''}`,
      label: instance === null || instance === '' ? answer.host : `${answer.host} ${instance}`,
      values: valuesAt(timestamps, answer, values),
      peak: null,
      dashed: false,
      color,
    }));
  return { timestamps, from, to, lines, hidden: ranked.length - lines.length };
}

/** What the chart of a group is called. */
export function groupTitle(metric: string, drawn: number, all: number): string {
  return drawn < all ? `${metric} of ${drawn} of the ${count(all)} hosts` : `${metric} of the hosts`;
}

const STAND_IN_TITLES: Record<string, string> = { [OFFLINE]: 'CPU usage before and after it went offline', [CLOCK_OFFSET]: 'CPU usage while the clock was off' };

/** What the chart of a single host is called. */
export function hostTitle({ metric, instance }: Alert): string {
  return STAND_IN_TITLES[metric] ?? (instance === '' ? metric : `${metric} of ${instance}`);
}

/** As a rule names instances: all, one, or those that begin so. */
export function instanceFilter(pattern: string | null): (instance: string) => boolean {
  if (pattern === null || pattern === '') return () => true;
  if (pattern.endsWith('*')) return (instance) => instance.startsWith(pattern.slice(0, -1));
  return (instance) => instance === pattern;
}
