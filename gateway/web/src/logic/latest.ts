// The figures of a moment out of a whole sample, so that the cards of a live host move as its
// charts do. The same sums that the gateway makes for its lists.
import type { Filesystem, Latest, Sample } from '../io/contract';
import { usedPercent } from './charts';
import { knownConnections, knownCpu, knownLoad, knownMemory, knownProcesses } from './known';

/** Of what there is none of, nothing is known. */
function sum<T>(all: readonly T[], parts: readonly T[], value: (part: T) => number): number | null {
  return all.length === 0 ? null : parts.reduce((total, part) => total + value(part), 0);
}

function fullest(filesystems: readonly Filesystem[]): { mount: string; percent: number } | null {
  const shares = filesystems.map((one) => ({ mount: one.mount, percent: usedPercent(one.used_bytes, one.available_bytes) }));
  return shares.toSorted((a, b) => b.percent - a.percent)[0] ?? null;
}

export function latestOf(sample: Sample): Latest {
  const disk = fullest(sample.filesystems);
  const outward = sample.networks.filter((network) => network.interface !== 'lo');
  const [load, memory] = [knownLoad(sample), knownMemory(sample)];
  const temperatures = sample.sensors.map((sensor) => sensor.celsius);
  return {
    at: sample.at,
    uptime_s: sample.uptime_s,
    cpu_usage_percent: knownCpu(sample)?.usage_percent ?? null,
    load_1: load?.one ?? null,
    load_5: load?.five ?? null,
    load_15: load?.fifteen ?? null,
    memory_used_bytes: memory?.used_bytes ?? null,
    memory_total_bytes: memory?.total_bytes ?? null,
    swap_used_bytes: memory?.swap_used_bytes ?? null,
    swap_total_bytes: memory?.swap_total_bytes ?? null,
    disk_used_percent: disk?.percent ?? null,
    disk_used_mount: disk?.mount ?? null,
    disk_read_bytes_per_s: sum(sample.disks, sample.disks, (one) => one.read_bytes_per_s),
    disk_write_bytes_per_s: sum(sample.disks, sample.disks, (one) => one.write_bytes_per_s),
    network_rx_bytes_per_s: sum(sample.networks, outward, (one) => one.rx_bytes_per_s),
    network_tx_bytes_per_s: sum(sample.networks, outward, (one) => one.tx_bytes_per_s),
    temperature_max_celsius: temperatures.length > 0 ? Math.max(...temperatures) : null,
    processes_total: knownProcesses(sample),
    tcp_connections: knownConnections(sample),
  };
}
