// From metrics and samples to chart columns: gaps stay gaps, pairs share a colour, crowds are cut.
import { describe, expect, it } from 'vitest';
import type { Metrics } from '../io/contract';
import { historyData, INSTANCES_MAX, isEmpty, lastValue, liveData } from './chart-data';
import { chartsToDraw, metricNames, type ChartSpec } from './charts';
import { latestOf } from './latest';
import { sample } from './testing';

const chart = (id: string): ChartSpec => {
  const found = chartsToDraw(false).find((one) => one.id === id);
  if (!found) throw new Error(`no chart ${id}`);
  return found;
};

function metrics(series: Metrics['series']): Metrics {
  return { host: 'web-3', from: 0, to: 30, step_ms: 10, source: 'raw', timestamps: [0, 10, 20], series };
}

const interfaceRates = (name: string, instance: string, value: number) => ({
  name,
  instance,
  unit: 'bytes_per_s',
  values: [value, null, value],
  max: [value, null, value],
});

describe('history', () => {
  it('keeps nulls and gives received and sent one colour', () => {
    const data = historyData(
      chart('network'),
      metrics([
        interfaceRates('interface.rx_bytes_per_s', 'lo', 9),
        interfaceRates('interface.rx_bytes_per_s', 'eth0', 5),
        interfaceRates('interface.rx_bytes_per_s', 'eth1', 7),
        interfaceRates('interface.tx_bytes_per_s', 'eth0', 6),
      ]),
    );
    expect(data.lines.map(({ label, color, dashed }) => [label, color, dashed])).toEqual([
      ['eth0 in', 0, false],
      ['eth0 out', 0, true],
      ['eth1 in', 1, false],
    ]);
    expect(data.lines[0]?.values).toEqual([5, null, 5]);
  });

  it('draws the busiest instances and counts the rest', () => {
    const many = Array.from({ length: 20 }, (_, n) => interfaceRates('interface.rx_bytes_per_s', `veth${n}`, n));
    const data = historyData(chart('network'), metrics(many));
    expect(data.hidden).toBe(20 - INSTANCES_MAX);
    expect(data.lines[0]?.label).toBe('veth12 in');
  });

  it('carries the peak of the CPU', () => {
    const cpu = { name: 'cpu.usage_percent', instance: null, unit: 'percent', values: [1, 2, 3], max: [4, 5, 6] };
    expect(historyData(chart('cpu'), metrics([cpu])).lines[0]?.peak).toEqual([4, 5, 6]);
  });

  it('is empty where every value is null', () => {
    const cpu = { name: 'cpu.usage_percent', instance: null, unit: 'percent', values: [null], max: [null] };
    expect(isEmpty(historyData(chart('cpu'), metrics([cpu])))).toBe(true);
    expect(isEmpty(historyData(chart('cpu'), metrics([])))).toBe(true);
  });
});

describe('live', () => {
  it('breaks the line where samples are missing', () => {
    const data = liveData(chart('load'), [sample(1_000), sample(2_000), sample(9_000)], 0, 9_000);
    expect(data.timestamps).toEqual([1_000, 2_000, 5_500, 9_000]);
    expect(data.lines.map((line) => line.values)).toEqual([
      [1, 1, null, 1],
      [2, 2, null, 2],
      [3, 3, null, 3],
    ]);
  });

  it('leaves null where an instance was not there yet', () => {
    const sensors = [{ name: 'core', celsius: 40 }];
    const data = liveData(chart('temperatures'), [sample(1_000), sample(2_000, { sensors })], 0, 2_000);
    expect(data.lines[0]).toMatchObject({ label: 'core', values: [null, 40] });
  });
});

it('knows a metric for every line', () => {
  expect(metricNames(chartsToDraw(true))).toContain('cpu.core_percent');
  expect(new Set(metricNames(chartsToDraw(false))).size).toBe(metricNames(chartsToDraw(false)).length);
});

const space = (mount: string, used: number) => ({
  mount,
  device: 'vda',
  fs_type: 'ext4',
  total_bytes: 100,
  used_bytes: used,
  available_bytes: 90 - used,
  inodes: null,
  read_only: false,
});

it('sums up a sample as the lists do', () => {
  const rates = { rx_packets_per_s: 0, tx_packets_per_s: 0, rx_errors_per_s: 0, tx_errors_per_s: 0, rx_drops_per_s: 0, tx_drops_per_s: 0 };
  const network = (name: string) => ({ interface: name, rx_bytes_per_s: 5, tx_bytes_per_s: 7, ...rates });
  const figures = latestOf(
    sample(9, {
      networks: [network('lo'), network('eth0'), network('eth1')],
      filesystems: [space('/', 45), space('/data', 60)],
    }),
  );
  expect(figures).toMatchObject({
    at: 9,
    network_rx_bytes_per_s: 10,
    network_tx_bytes_per_s: 14,
    disk_used_mount: '/data',
    temperature_max_celsius: null,
  });
  expect(figures.disk_used_percent).toBeCloseTo(66.67);
});

it('finds the last value behind a gap', () => {
  expect([lastValue([1, 2, null]), lastValue([null]), lastValue([])]).toEqual([2, null, null]);
});
