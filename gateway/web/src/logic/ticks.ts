// The numbers and times beside a chart's axes. Sizes get ticks at powers of two, times get the
// coarsest label that still tells two ticks apart.
import { clockTime, day } from './format';

const KIBI = 1024;

/** Steps between ticks for byte values: 1, 2, 5 ... would print as 0.98 MiB. */
export const BYTE_STEPS: number[] = Array.from({ length: 50 }, (_, power) => 2 ** power);

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Steps between ticks of time: none below a second, whose labels would repeat. */
export const TIME_STEPS: number[] = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND_MS),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 3, 7, 14, 28, 56, 112].map((days) => days * DAY_MS),
];

function isMidnight(ms: number): boolean {
  const date = new Date(ms);
  return date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
}

/** `stepMs` is the distance between two ticks. */
export function timeLabel(ms: number, stepMs: number): string {
  if (stepMs >= DAY_MS || isMidnight(ms)) return day(ms);
  return clockTime(ms, stepMs < MINUTE_MS);
}

export interface Tick {
  /** As a part of the axis. */
  part: number;
  label: string;
}

/** Nearer to an end than this a label would stand out of the axis. */
const END = 0.03;

/** Round times of the viewer's zone between two moments, at most `ticksMax` of them. */
export function timeTicks(from: number, to: number, ticksMax: number): Tick[] {
  const step = TIME_STEPS.find((one) => (to - from) / one <= ticksMax) ?? to - from;
  const offset = new Date(from).getTimezoneOffset() * MINUTE_MS;
  const first = Math.ceil((from - offset) / step) * step + offset;
  const ticks: Tick[] = [];
  for (let at = first; at < to; at += step) ticks.push({ part: (at - from) / (to - from), label: timeLabel(at, step) });
  return ticks.filter(({ part }) => part >= END && part <= 1 - END);
}

/** The top of a percent scale: quiet hosts are not magnified into drama, busy ones end at 100. */
export function percentTop(highest: number): number {
  const steps = [10, 25, 50, 100];
  return steps.find((step) => highest * 1.05 <= step) ?? Math.ceil(highest / 100) * 100;
}

/** The top of a byte or count scale, so that an idle line lies on the floor. */
export function amountTop(highest: number, least: number): number {
  return Math.max(least, highest * 1.1);
}

/** The least scale for bytes a second: below this everything is idle. */
export const LEAST_RATE = KIBI;
