// The charts of a host page: which metrics each draws, what a line is called, and where the same
// figures stand in a live sample. History and live view share these definitions, so that the two
// cannot come to show different things. Leaves out colours and drawing.
import type { CatalogueItem } from '../io/contract';
import { each, instanceName, scalar, type ChartSpec } from './chart-lines';
import { RICH_CHARTS } from './charts-rich';
import { knownConnections, knownCpu, knownLoad, knownMemory, knownProcesses } from './known';

export { GROUPS, type ChartSpec, type Figure, type Group, type LineSpec } from './chart-lines';

const cpuTotal: ChartSpec = {
  id: 'cpu',
  title: 'CPU',
  group: 'Processor and memory',
  unit: 'percent',
  lines: [{ ...scalar('cpu.usage_percent', 'total', (s) => knownCpu(s)?.usage_percent), peak: true }],
};

export const cpuPerCore: ChartSpec = {
  id: 'cpu',
  title: 'CPU per core',
  group: 'Processor and memory',
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
  group: 'Processor and memory',
  unit: 'load',
  lines: [
    scalar('load.one', '1 min', (s) => knownLoad(s)?.one),
    scalar('load.five', '5 min', (s) => knownLoad(s)?.five),
    scalar('load.fifteen', '15 min', (s) => knownLoad(s)?.fifteen),
  ],
};

const memory: ChartSpec = {
  id: 'memory',
  title: 'Memory',
  group: 'Processor and memory',
  unit: 'bytes',
  lines: [
    scalar('memory.used_bytes', 'used', (s) => knownMemory(s)?.used_bytes),
    scalar('swap.used_bytes', 'swap', (s) => knownMemory(s)?.swap_used_bytes),
  ],
  ceiling: (latest) => latest.memory_total_bytes,
};

const filesystems: ChartSpec = {
  id: 'filesystems',
  title: 'Disk use',
  group: 'Storage',
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
  group: 'Storage',
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
  group: 'Network',
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
  group: 'System',
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
  title: 'Sockets',
  group: 'Network',
  unit: 'count',
  lines: [
    scalar('tcp.connections', 'established', knownConnections),
    scalar('tcp.time_wait', 'time wait', (s) => s.sockets?.tcp_time_wait),
    scalar('tcp.listen', 'listening', (s) => s.sockets?.tcp?.listen),
    scalar('tcp.close_wait', 'close wait', (s) => s.sockets?.tcp?.close_wait),
    scalar('udp.sockets', 'UDP', (s) => s.sockets?.udp),
  ],
};

const processes: ChartSpec = {
  id: 'processes',
  title: 'Processes',
  group: 'System',
  unit: 'count',
  lines: [
    scalar('processes.total', 'total', knownProcesses),
    scalar('processes.running', 'running', (s) => s.processes.states?.running),
    scalar('processes.blocked', 'blocked', (s) => s.processes.states?.blocked),
    scalar('processes.zombie', 'zombie', (s) => s.processes.states?.zombie),
  ],
};

const common = [load, memory, filesystems, diskIo, network, temperatures, connections, processes];

export function chartsToDraw(perCore: boolean, custom: readonly CatalogueItem[] = []): readonly ChartSpec[] {
  return [perCore ? cpuPerCore : cpuTotal, ...common, ...RICH_CHARTS, ...custom.slice(0, CUSTOM_MAX).map(customChart)];
}

/** More charts of a host's own than this are not looked at, and each is asked for. */
const CUSTOM_MAX = 24;

function customChart(item: CatalogueItem): ChartSpec {
  const name = item.name.replace(/^custom\./, '');
  const line = each(item.name, (s) => s.custom.filter((one) => one.name === name), (one) => one.instance, (one) => one.value);
  return {
    id: item.name,
    title: name,
    group: 'Custom metrics',
    unit: 'plain',
    ownUnit: item.unit,
    optional: true,
    lines: [{ ...line, label: (instance) => instance || name }],
  };
}

export function metricNames(charts: readonly ChartSpec[]): string[] {
  return charts.flatMap((chart) => chart.lines.map((line) => line.metric));
}

/** Of what an unprivileged user can have, as `df` prints it. */
export function usedPercent(used: number, available: number): number {
  return used + available === 0 ? 0 : (used / (used + available)) * 100;
}
