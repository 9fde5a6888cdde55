// Counts of log lines as bars over time: heights as parts of the highest. Leaves out drawing.
import type { LineCounts, Severity } from '../io/contract-agent';

interface Part {
  severity: Severity;
  lines: number;
  /** Parts of the highest bar, from 0 to 1. */
  height: number;
  base: number;
}

export interface Bar {
  at: number;
  /** Null where the lines were not counted. */
  lines: number | null;
  /** From the worst, at the bottom. */
  parts: readonly Part[];
}

export interface Bars {
  bars: readonly Bar[];
  from: number;
  to: number;
  stepMs: number;
  lines: number;
  highest: number;
  /** From the worst; those without a line are left out. */
  totals: readonly { severity: Severity; lines: number }[];
}

function sum(counts: readonly (number | null)[]): number {
  return counts.reduce<number>((total, count) => total + (count ?? 0), 0);
}

export function barsOf(counts: LineCounts): Bars {
  const lines = counts.timestamps.map((_, step) => {
    const known = counts.series.map((series) => series.counts[step] ?? null).filter((count) => count !== null);
    return known.length === 0 ? null : sum(known);
  });
  const highest = Math.max(0, ...lines.map((count) => count ?? 0));
  const stack = (step: number) => {
    const parts: Part[] = [];
    let below = 0;
    for (const { severity, counts: known } of counts.series) {
      const count = known[step] ?? 0;
      if (count > 0) parts.push({ severity, lines: count, height: count / highest, base: below / highest });
      below += count;
    }
    return parts;
  };
  const bars = counts.timestamps.map((at, step) => ({
    at,
    lines: lines[step] ?? null,
    parts: stack(step),
  }));
  const totals = counts.series.map(({ severity, counts: known }) => ({ severity, lines: sum(known) })).filter((total) => total.lines > 0);
  const [first, last] = [bars[0]?.at ?? counts.from, bars.at(-1)?.at];
  // Steps are whole, the time that was asked for need not be: the axis is of the steps.
  const to = last === undefined ? counts.to : last + counts.step_ms;
  return { bars, from: first, to, stepMs: counts.step_ms, lines: sum(lines), highest, totals };
}
