// The figures of a moment out of a whole sample, so that the cards of a live host move as its
// charts do. The same sums that the gateway makes for its lists.
import type { Filesystem, Latest, Sample } from '../io/contract';
import { usedPercent } from './charts';

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function fullest(filesystems: readonly Filesystem[]): { mount: string; percent: number } | null {
  const shares = filesystems.map((one) => ({ mount: one.mount, percent: usedPercent(one.used_bytes, one.available_bytes) }));
  return shares.toSorted((a, b) => b.percent - a.percent)[0] ?? null;
}

export function latestOf(sample: Sample): Latest {
  const disk = fullest(sample.filesystems);
  const outward = sample.networks.filter((network) => network.interface !== 'lo');
  const temperatures = sample.sensors.map((sensor) => sensor.celsius);
  return {
    at: sample.at,
    uptime_s: sample.uptime_s,
    cpu_usage_percent: sample.cpu.usage_percent,
    load_1: sample.load.one,
    load_5: sample.load.five,
    load_15: sample.load.fifteen,
    memory_used_bytes: sample.memory.used_bytes,
    memory_total_bytes: sample.memory.total_bytes,
    swap_used_bytes: sample.memory.swap_used_bytes,
    swap_total_bytes: sample.memory.swap_total_bytes,
    disk_used_percent: disk?.percent ?? null,
    disk_used_mount: disk?.mount ?? null,
    disk_read_bytes_per_s: sum(sample.disks.map((one) => one.read_bytes_per_s)),
    disk_write_bytes_per_s: sum(sample.disks.map((one) => one.write_bytes_per_s)),
    network_rx_bytes_per_s: sum(outward.map((one) => one.rx_bytes_per_s)),
    network_tx_bytes_per_s: sum(outward.map((one) => one.tx_bytes_per_s)),
    temperature_max_celsius: temperatures.length > 0 ? Math.max(...temperatures) : null,
    processes_total: sample.processes.total,
    tcp_connections: sample.tcp_connections,
  };
}
