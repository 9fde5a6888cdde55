// The charts of a host page: which metrics each draws, what a line is called, and where the same
// figures stand in a live sample. History and live view share these definitions, so that the two
// cannot come to show different things. Leaves out colours and drawing.
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

export interface ChartSpec {
  id: string;
  title: string;
  unit: Unit;
  lines: readonly LineSpec[];
  /** Not drawn at all on hosts that have none of it. */
  optional?: boolean;
  /** The value at which the host is full, as the top of the scale. */
  ceiling?(latest: Latest): number;
}

function scalar(metric: string, label: string, value: (sample: Sample) => number): LineSpec {
  return { metric, label: () => label, live: (sample) => [[null, value(sample)]] };
}

const instanceName = (instance: string | null): string => instance ?? 'all';

const cpuTotal: ChartSpec = {
  id: 'cpu',
  title: 'CPU',
  unit: 'percent',
  lines: [{ ...scalar('cpu.usage_percent', 'total', (s) => s.cpu.usage_percent), peak: true }],
};

export const cpuPerCore: ChartSpec = {
  id: 'cpu',
  title: 'CPU per core',
  unit: 'percent',
  lines: [
    {
      metric: 'cpu.core_percent',
      label: (core) => `core ${core}`,
      live: (s) => s.cpu.cores_percent.map((value, core) => [String(core), value]),
    },
  ],
};

const load: ChartSpec = {
  id: 'load',
  title: 'Load',
  unit: 'load',
  lines: [
    scalar('load.one', '1 min', (s) => s.load.one),
    scalar('load.five', '5 min', (s) => s.load.five),
    scalar('load.fifteen', '15 min', (s) => s.load.fifteen),
  ],
};

const memory: ChartSpec = {
  id: 'memory',
  title: 'Memory',
  unit: 'bytes',
  lines: [
    scalar('memory.used_bytes', 'used', (s) => s.memory.used_bytes),
    scalar('swap.used_bytes', 'swap', (s) => s.memory.swap_used_bytes),
  ],
  ceiling: (latest) => latest.memory_total_bytes,
};

const filesystems: ChartSpec = {
  id: 'filesystems',
  title: 'Disk use',
  unit: 'percent',
  lines: [
    {
      metric: 'filesystem.used_percent',
      label: instanceName,
      live: (s) =>
        s.filesystems.map((f) => [f.mount, usedPercent(f.used_bytes, f.available_bytes)]),
    },
  ],
  ceiling: () => 100,
};

const diskIo: ChartSpec = {
  id: 'disk-io',
  title: 'Disk I/O',
  unit: 'bytes_per_s',
  lines: [
    {
      metric: 'disk_device.read_bytes_per_s',
      label: (device) => `${device} read`,
      live: (s) => s.disks.map((d) => [d.device, d.read_bytes_per_s]),
    },
    {
      metric: 'disk_device.write_bytes_per_s',
      label: (device) => `${device} write`,
      live: (s) => s.disks.map((d) => [d.device, d.write_bytes_per_s]),
      dashed: true,
    },
  ],
};

const network: ChartSpec = {
  id: 'network',
  title: 'Network',
  unit: 'bytes_per_s',
  lines: [
    {
      metric: 'interface.rx_bytes_per_s',
      label: (name) => `${name} in`,
      live: (s) => s.networks.map((n) => [n.interface, n.rx_bytes_per_s]),
    },
    {
      metric: 'interface.tx_bytes_per_s',
      label: (name) => `${name} out`,
      live: (s) => s.networks.map((n) => [n.interface, n.tx_bytes_per_s]),
      dashed: true,
    },
  ],
};

const temperatures: ChartSpec = {
  id: 'temperatures',
  title: 'Temperatures',
  unit: 'celsius',
  optional: true,
  lines: [
    {
      metric: 'sensor.celsius',
      label: instanceName,
      live: (s) => s.sensors.map((sensor) => [sensor.name, sensor.celsius]),
    },
  ],
};

const connections: ChartSpec = {
  id: 'tcp',
  title: 'TCP connections',
  unit: 'count',
  lines: [scalar('tcp.connections', 'established', (s) => s.tcp_connections)],
};

const processes: ChartSpec = {
  id: 'processes',
  title: 'Processes',
  unit: 'count',
  lines: [scalar('processes.total', 'total', (s) => s.processes.total)],
};

const common = [load, memory, filesystems, diskIo, network, temperatures, connections, processes];

export function chartsToDraw(perCore: boolean): readonly ChartSpec[] {
  return [perCore ? cpuPerCore : cpuTotal, ...common];
}

export function metricNames(charts: readonly ChartSpec[]): string[] {
  return charts.flatMap((chart) => chart.lines.map((line) => line.metric));
}

/** Of what an unprivileged user can have, as `df` prints it. */
export function usedPercent(used: number, available: number): number {
  return used + available === 0 ? 0 : (used / (used + available)) * 100;
}
