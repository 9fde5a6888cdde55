// Hosts and samples for tests, with only what a test cares about spelled out. Used by tests only.
import type { Host, Latest, Sample } from '../io/contract';
import type { LogLine } from '../io/contract-agent';

export function latest(changes: Partial<Latest> = {}): Latest {
  return {
    at: 1_000,
    uptime_s: 60,
    cpu_usage_percent: 10,
    load_1: 0.5,
    load_5: 0.5,
    load_15: 0.5,
    memory_used_bytes: 1,
    memory_total_bytes: 4,
    swap_used_bytes: 0,
    swap_total_bytes: 0,
    disk_used_percent: 40,
    disk_used_mount: '/',
    disk_read_bytes_per_s: 0,
    disk_write_bytes_per_s: 0,
    network_rx_bytes_per_s: 0,
    network_tx_bytes_per_s: 0,
    temperature_max_celsius: null,
    processes_total: 100,
    tcp_connections: 5,
    ...changes,
  };
}

export function host(id: string, changes: Partial<Host> = {}): Host {
  return {
    id,
    status: 'online',
    status_since: 0,
    first_seen_at: 0,
    last_seen_at: 1_000,
    agent_version: '0.1.0',
    labels: {},
    location: null,
    os: null,
    kernel: null,
    architecture: null,
    cpu_model: null,
    cores_logical: null,
    latest: latest(),
    ...changes,
  };
}

export function sample(at: number, changes: Partial<Sample> = {}): Sample {
  return {
    at,
    uptime_s: 60,
    cpu: { usage_percent: 10, cores_percent: [5, 15], modes: null, frequency_mhz: null },
    load: { one: 1, five: 2, fifteen: 3 },
    memory: { total_bytes: 4, used_bytes: 1, available_bytes: 3, swap_total_bytes: 0, swap_used_bytes: 0, detail: null, swap_rates: null },
    pressure: null,
    filesystems: [],
    disks: [],
    networks: [],
    tcp_connections: 5,
    sockets: null,
    file_descriptors: null,
    processes: { total: 100, states: null, top_cpu: [], top_memory: [], top_io: [] },
    sensors: [],
    fans: [],
    batteries: [],
    gpus: [],
    smart_disks: [],
    containers: [],
    services: null,
    custom: [],
    ...changes,
  };
}

export function line(message: string, changes: Partial<LogLine> = {}): LogLine {
  return {
    at: 1_000,
    severity: 'error',
    application: 'orders',
    source: '/var/log/orders.log',
    message,
    truncated_bytes: 0,
    suppressed: 0,
    fields: {},
    ...changes,
  };
}
