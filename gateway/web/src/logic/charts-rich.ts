// The charts of what only some hosts have, or only newer agents tell: each is left out where there
// is nothing to draw.
import type { Sample } from '../io/contract';
import { each, scalar, type ChartSpec, type LineSpec } from './chart-lines';

const containers = (s: Sample) => s.containers;
const gpus = (s: Sample) => s.gpus;
const disks = (s: Sample) => s.disks;
const networks = (s: Sample) => s.networks;

const dashed = (line: LineSpec): LineSpec => ({ ...line, dashed: true });

export const RICH_CHARTS: readonly ChartSpec[] = [
  {
    id: 'cpu-modes',
    title: 'CPU by mode',
    group: 'Processor and memory',
    unit: 'percent',
    optional: true,
    lines: [
      scalar('cpu.user_percent', 'user', (s) => s.cpu.modes?.user_percent),
      scalar('cpu.system_percent', 'system', (s) => s.cpu.modes?.system_percent),
      scalar('cpu.iowait_percent', 'I/O wait', (s) => s.cpu.modes?.iowait_percent),
      scalar('cpu.steal_percent', 'stolen', (s) => s.cpu.modes?.steal_percent),
    ],
  },
  {
    id: 'memory-detail',
    title: 'Memory in detail',
    group: 'Processor and memory',
    unit: 'bytes',
    optional: true,
    lines: [
      scalar('memory.cached_bytes', 'cache', (s) => s.memory.detail?.cached_bytes),
      scalar('memory.buffers_bytes', 'buffers', (s) => s.memory.detail?.buffers_bytes),
      scalar('memory.dirty_bytes', 'dirty', (s) => s.memory.detail?.dirty_bytes),
      scalar('memory.huge_pages_used_bytes', 'huge pages', (s) => s.memory.detail?.huge_pages_used_bytes),
    ],
  },
  {
    id: 'pressure',
    title: 'Pressure: time spent waiting',
    group: 'Processor and memory',
    unit: 'percent',
    optional: true,
    lines: [
      scalar('pressure.cpu_some_percent', 'CPU', (s) => s.pressure?.cpu_some_percent),
      scalar('pressure.memory_some_percent', 'memory', (s) => s.pressure?.memory_some_percent),
      scalar('pressure.memory_full_percent', 'memory, all', (s) => s.pressure?.memory_full_percent),
      scalar('pressure.io_some_percent', 'I/O', (s) => s.pressure?.io_some_percent),
      scalar('pressure.io_full_percent', 'I/O, all', (s) => s.pressure?.io_full_percent),
    ],
  },
  {
    id: 'swap',
    title: 'Swap traffic',
    group: 'Processor and memory',
    unit: 'bytes_per_s',
    optional: true,
    lines: [
      scalar('swap.in_bytes_per_s', 'read back', (s) => s.memory.swap_rates?.in_bytes_per_s),
      scalar('swap.out_bytes_per_s', 'written', (s) => s.memory.swap_rates?.out_bytes_per_s),
    ],
  },
  {
    id: 'frequency',
    title: 'CPU frequency',
    group: 'Processor and memory',
    unit: 'mhz',
    optional: true,
    lines: [scalar('cpu.frequency_mhz', 'mean of all cores', (s) => s.cpu.frequency_mhz)],
  },
  {
    id: 'disk-await',
    title: 'Disk response time',
    group: 'Storage',
    unit: 'ms',
    optional: true,
    lines: [
      each('disk_device.read_await_ms', disks, (d) => d.device, (d) => d.times?.read_await_ms, 'read'),
      dashed(each('disk_device.write_await_ms', disks, (d) => d.device, (d) => d.times?.write_await_ms, 'write')),
    ],
  },
  {
    id: 'disk-utilisation',
    title: 'Disk utilisation',
    group: 'Storage',
    unit: 'percent',
    optional: true,
    lines: [each('disk_device.utilisation_percent', disks, (d) => d.device, (d) => d.times?.utilisation_percent)],
  },
  {
    id: 'inodes',
    title: 'Inodes in use',
    group: 'Storage',
    unit: 'percent',
    optional: true,
    lines: [each('filesystem.inodes_used_percent', (s) => s.filesystems, (f) => f.mount, (f) => inodesPercent(f.inodes))],
    ceiling: () => 100,
  },
  {
    id: 'network-errors',
    title: 'Network errors and drops',
    group: 'Network',
    unit: 'per_s',
    optional: true,
    lines: [
      each('interface.rx_errors_per_s', networks, (n) => n.interface, (n) => n.rx_errors_per_s, 'errors in'),
      dashed(each('interface.tx_errors_per_s', networks, (n) => n.interface, (n) => n.tx_errors_per_s, 'errors out')),
      each('interface.rx_drops_per_s', networks, (n) => n.interface, (n) => n.rx_drops_per_s, 'drops in'),
      dashed(each('interface.tx_drops_per_s', networks, (n) => n.interface, (n) => n.tx_drops_per_s, 'drops out')),
    ],
  },
  {
    id: 'file-descriptors',
    title: 'Open files',
    group: 'System',
    unit: 'count',
    optional: true,
    lines: [scalar('file_descriptors.open', 'open', (s) => s.file_descriptors?.open)],
  },
  {
    id: 'fans',
    title: 'Fans',
    group: 'System',
    unit: 'rpm',
    optional: true,
    lines: [each('fan.rpm', (s) => s.fans, (f) => f.name, (f) => f.rpm)],
  },
  {
    id: 'batteries',
    title: 'Battery charge',
    group: 'System',
    unit: 'percent',
    optional: true,
    lines: [each('battery.charge_percent', (s) => s.batteries, (b) => b.name, (b) => b.charge_percent)],
    ceiling: () => 100,
  },
  {
    id: 'gpu',
    title: 'GPU utilisation',
    group: 'System',
    unit: 'percent',
    optional: true,
    lines: [each('gpu.utilisation_percent', gpus, (g) => g.id, (g) => g.utilisation_percent)],
  },
  {
    id: 'gpu-memory',
    title: 'GPU memory',
    group: 'System',
    unit: 'bytes',
    optional: true,
    lines: [each('gpu.memory_used_bytes', gpus, (g) => g.id, (g) => g.memory_used_bytes)],
  },
  {
    id: 'container-cpu',
    title: 'CPU by container',
    group: 'Containers',
    unit: 'percent',
    optional: true,
    lines: [each('container.cpu_percent', containers, (c) => c.name, (c) => c.cpu_percent)],
  },
  {
    id: 'container-memory',
    title: 'Memory by container',
    group: 'Containers',
    unit: 'bytes',
    optional: true,
    lines: [each('container.memory_bytes', containers, (c) => c.name, (c) => c.memory_bytes)],
  },
];

function inodesPercent(inodes: { total: number; used: number } | null): number | null {
  return inodes === null || inodes.total === 0 ? null : (inodes.used / inodes.total) * 100;
}
