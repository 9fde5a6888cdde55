// In which unit the value of a ticket's metric is. Metrics carry their unit at the end of their names;
// where the gateway names it, that holds. Leaves out what people type into forms: quantities.ts.
import { count, inUnit, MISSING, plain, type Unit } from './format';
import { unitSuffix } from './quantities';

/** Metrics that are judged though no sample holds them. */
export const LOG_ERROR_RATE = 'logs.error_lines_per_min';
export const CLOCK_OFFSET = 'clock.offset_ms';
export const OFFLINE = 'host.offline';

const ENDINGS: readonly (readonly [ending: string, unit: string])[] = [
  ['_bytes_per_s', 'bytes_per_s'],
  ['_packets_per_s', 'packets_per_s'],
  ['_errors_per_s', 'packets_per_s'],
  ['_drops_per_s', 'packets_per_s'],
  ['_lines_per_min', 'lines_per_min'],
  ['_per_s', 'per_s'],
  ['percent', 'percent'],
  ['_bytes', 'bytes'],
  ['_ms', 'ms'],
  ['_mhz', 'mhz'],
  ['.rpm', 'rpm'],
  ['celsius', 'celsius'],
  ['_watts', 'watts'],
  ['uptime_s', 's'],
];

export function unitOfMetric(metric: string): string {
  if (metric.startsWith('custom.')) return '';
  if (metric.startsWith('load.')) return 'load';
  return ENDINGS.find(([ending]) => metric.endsWith(ending))?.[1] ?? 'count';
}

const DRAWN: readonly Unit[] = ['percent', 'bytes', 'bytes_per_s', 'count', 'load', 'celsius', 'ms', 'per_s', 'mhz', 'rpm'];

/** How a chart or a number of it is drawn. */
export function drawnUnit(unit: string): Unit {
  return DRAWN.find((one) => one === unit) ?? 'plain';
}

export function amountWords(value: number | null, unit: string): string {
  if (value === null) return MISSING;
  const drawn = drawnUnit(unit);
  // Thresholds are round: "90 %", not "90.0 %".
  if (drawn !== 'plain') return inUnit(drawn, value).replace(/\.0+(?= )/u, '');
  const suffix = unitSuffix(unit);
  const number = Number.isInteger(value) ? count(value) : plain(value);
  return suffix === '' ? number : `${number} ${suffix}`;
}

export interface Measured {
  metric: string;
  hosts_count: number | null;
  unit?: string | null;
}

/** A ticket of a group has the share of its hosts for a value. */
export function unitOfAlert({ metric, hosts_count, unit }: Measured): string {
  if (hosts_count !== null) return 'percent';
  return unit ?? unitOfMetric(metric);
}
