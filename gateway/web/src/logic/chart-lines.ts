// What a chart is made of: its lines, each with the metric of its history and the place of the same
// figure in a live sample. Which charts there are stands in charts.ts and charts-rich.ts.
import type { Latest, Sample } from '../io/contract';
import type { Unit } from './format';

/** One figure of a sample; the instance is null for what a host has one of. */
export type Figure = readonly [instance: string | null, value: number];

export interface LineSpec {
  metric: string;
  label(instance: string | null): string;
  live(sample: Sample): Figure[];
  /** The second of a pair that shares a colour, such as sent beside received. */
  dashed?: boolean;
  /** Draw the maximum of each step as a band above the mean. */
  peak?: boolean;
}

export const GROUPS = ['Processor and memory', 'Storage', 'Network', 'System', 'Containers', 'Custom metrics'] as const;
export type Group = (typeof GROUPS)[number];

export interface ChartSpec {
  id: string;
  title: string;
  unit: Unit;
  lines: readonly LineSpec[];
  /** Under which heading it stands. */
  group: Group;
  /** Not drawn at all on hosts that have none of it. */
  optional?: boolean;
  /** What its values count, where that is not one of our units. */
  ownUnit?: string;
  /** The value at which the host is full, as the top of the scale. */
  ceiling?(latest: Latest): number | null;
}

type Maybe = number | null | undefined;

/** What a host has once, or does not have. */
export function scalar(metric: string, label: string, value: (sample: Sample) => Maybe): LineSpec {
  const live = (sample: Sample): Figure[] => {
    const found = value(sample);
    return found == null ? [] : [[null, found]];
  };
  return { metric, label: () => label, live };
}

/** What a host has several of: one line each, of those that have the value. */
export function each<T>(
  metric: string,
  items: (sample: Sample) => readonly T[],
  name: (item: T) => string,
  value: (item: T) => Maybe,
  word = '',
): LineSpec {
  const live = (sample: Sample): Figure[] =>
    items(sample).flatMap((item): Figure[] => {
      const found = value(item);
      return found == null ? [] : [[name(item), found]];
    });
  return { metric, label: (instance) => (word === '' ? instanceName(instance) : `${instance} ${word}`), live };
}

export const instanceName = (instance: string | null): string => instance ?? 'all';
