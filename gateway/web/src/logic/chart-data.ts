// From metrics or live samples to the columns a chart draws: one regular time axis, one column a
// line, null where nothing was measured, so that a gap is drawn as a gap and never bridged.
// With more instances than can be told apart, the busiest are drawn and the rest are counted.
import type { Metrics, Sample } from '../io/contract';
import type { ChartSpec, LineSpec } from './charts';

export type Column = (number | null)[];

export interface ChartLine {
  key: string;
  label: string;
  values: Column;
  /** The maximum of each step, where a band is drawn. */
  peak: Column | null;
  dashed: boolean;
  /** Index into the palette; a pair shares one. */
  color: number;
}

export interface ChartData {
  timestamps: number[];
  lines: ChartLine[];
  /** Instances left out because there were too many. */
  hidden: number;
  /** What the time axis spans. */
  from: number;
  to: number;
}

/** More lines than this are a hairball, and the palette repeats. */
export const INSTANCES_MAX = 8;
/** The loopback interface moves bytes but no network traffic. */
const UNINTERESTING = new Set(['lo']);

interface RawLine {
  spec: LineSpec;
  instance: string | null;
  values: Column;
  peak: Column | null;
}

export function historyData(chart: ChartSpec, metrics: Metrics): ChartData {
  const raw = chart.lines.flatMap((spec) =>
    metrics.series
      .filter((series) => series.name === spec.metric)
      .map((series) => ({
        spec,
        instance: series.instance,
        values: series.values,
        peak: spec.peak ? series.max : null,
      })),
  );
  return { timestamps: metrics.timestamps, from: metrics.from, to: metrics.to, ...arrange(raw) };
}

/** Live samples come each second; after this much silence the line is broken. */
export const LIVE_GAP_MS = 3_500;

export function liveData(chart: ChartSpec, samples: readonly Sample[], from: number, to: number): ChartData {
  const moments = withBreaks(samples);
  const raw = chart.lines.flatMap((spec) => liveLines(spec, moments));
  return { timestamps: moments.map(({ at }) => at), from, to, ...arrange(raw) };
}

interface Moment {
  at: number;
  sample: Sample | null;
}

function withBreaks(samples: readonly Sample[]): Moment[] {
  const moments: Moment[] = [];
  for (const sample of samples) {
    const before = moments.at(-1);
    if (before && sample.at - before.at > LIVE_GAP_MS) {
      moments.push({ at: Math.round((before.at + sample.at) / 2), sample: null });
    }
    moments.push({ at: sample.at, sample });
  }
  return moments;
}

function liveLines(spec: LineSpec, moments: readonly Moment[]): RawLine[] {
  const columns = new Map<string | null, Column>();
  moments.forEach(({ sample }, index) => {
    if (!sample) return;
    for (const [instance, value] of spec.live(sample)) {
      let column = columns.get(instance);
      if (!column) columns.set(instance, (column = Array<number | null>(moments.length).fill(null)));
      column[index] = value;
    }
  });
  return [...columns].map(([instance, values]) => ({ spec, instance, values, peak: null }));
}

/** Gives pairs one colour, keeps the busiest instances, and orders lines by instance. */
function arrange(raw: readonly RawLine[]): { lines: ChartLine[]; hidden: number } {
  const outward = raw.filter((line) => line.instance === null || !UNINTERESTING.has(line.instance));
  const measured = outward.filter((line) => line.values.some((value) => value !== null));
  // What this host does not have needs no legend; where there is nothing at all, say of what.
  const useful = measured.length > 0 ? measured : outward;
  const instances = [...new Set(useful.map((line) => line.instance))];
  const kept = busiest(instances, useful);
  const lines = useful
    .filter((line) => kept.includes(line.instance))
    .map((line, index) => ({
      key: `${line.spec.metric}/${line.instance ?? ''}`,
      label: line.spec.label(line.instance),
      values: line.values,
      peak: line.peak,
      dashed: line.spec.dashed ?? false,
      color: line.instance === null ? index : kept.indexOf(line.instance),
    }));
  lines.sort((a, b) => a.color - b.color);
  return { lines, hidden: instances.length - kept.length };
}

function busiest(instances: (string | null)[], lines: readonly RawLine[]): (string | null)[] {
  if (instances.length <= INSTANCES_MAX) return instances;
  const peaks = new Map<string | null, number>();
  for (const { instance, values } of lines) {
    const highest = values.reduce<number>((top, value) => Math.max(top, value ?? 0), 0);
    peaks.set(instance, Math.max(highest, peaks.get(instance) ?? 0));
  }
  const byPeak = instances.toSorted((a, b) => (peaks.get(b) ?? 0) - (peaks.get(a) ?? 0));
  const kept = new Set(byPeak.slice(0, INSTANCES_MAX));
  return instances.filter((instance) => kept.has(instance));
}

export function isEmpty(data: ChartData): boolean {
  return data.lines.every((line) => line.values.every((value) => value === null));
}

export function lastValue(values: Column): number | null {
  for (let index = values.length - 1; index >= 0; index -= 1) {
    const value = values[index];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}
