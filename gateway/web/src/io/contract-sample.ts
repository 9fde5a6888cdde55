// One look at a host, as it crosses the wire: types and parsers. What a host does not have is left
// out on the wire; here it is null, an empty list, or zero for counts that are sent only when there
// is something to count.
import { absentAs, bool, int, list, num, oneOf, optional, shape, str, type Parse } from './guards';

export interface CpuModes {
  user_percent: number;
  system_percent: number;
  iowait_percent: number;
  steal_percent: number;
  idle_percent: number;
}

export interface Cpu {
  usage_percent: number;
  cores_percent: number[];
  modes: CpuModes | null;
  frequency_mhz: number | null;
}

export interface Load {
  one: number;
  five: number;
  fifteen: number;
}

export interface MemoryDetail {
  free_bytes: number;
  buffers_bytes: number;
  cached_bytes: number;
  dirty_bytes: number;
  huge_pages_total_bytes: number;
  huge_pages_used_bytes: number;
}

export interface SwapRates {
  in_bytes_per_s: number;
  out_bytes_per_s: number;
}

export interface Memory {
  total_bytes: number;
  used_bytes: number;
  available_bytes: number;
  swap_total_bytes: number;
  swap_used_bytes: number;
  detail: MemoryDetail | null;
  swap_rates: SwapRates | null;
}

export interface Pressure {
  cpu_some_percent: number;
  memory_some_percent: number;
  memory_full_percent: number;
  io_some_percent: number;
  io_full_percent: number;
}

export interface Filesystem {
  mount: string;
  device: string;
  fs_type: string;
  total_bytes: number;
  used_bytes: number;
  available_bytes: number;
  inodes: { total: number; used: number } | null;
  read_only: boolean;
}

export interface DiskTimes {
  read_await_ms: number;
  write_await_ms: number;
  queue_length: number;
  utilisation_percent: number;
}

export interface Disk {
  device: string;
  read_bytes_per_s: number;
  write_bytes_per_s: number;
  reads_per_s: number;
  writes_per_s: number;
  times: DiskTimes | null;
}

export interface Network {
  interface: string;
  rx_bytes_per_s: number;
  tx_bytes_per_s: number;
  rx_packets_per_s: number;
  tx_packets_per_s: number;
  rx_errors_per_s: number;
  tx_errors_per_s: number;
  rx_drops_per_s: number;
  tx_drops_per_s: number;
}

export interface TcpStates {
  established: number;
  syn_sent: number;
  syn_received: number;
  fin_wait: number;
  close_wait: number;
  last_ack: number;
  listen: number;
  closing: number;
}

export interface Sockets {
  udp: number;
  tcp_time_wait: number;
  /** Null where there are too many to read them all. */
  tcp: TcpStates | null;
}

export interface Process {
  pid: number;
  name: string;
  /** 100 is one core. */
  cpu_percent: number;
  memory_bytes: number;
  command: string;
  user: string;
  read_bytes_per_s: number;
  write_bytes_per_s: number;
}

export interface ProcessStates {
  running: number;
  sleeping: number;
  blocked: number;
  stopped: number;
  zombie: number;
  idle: number;
}

export interface Processes {
  total: number;
  states: ProcessStates | null;
  /** All lists are empty in samples that are not the newest of their frame. */
  top_cpu: Process[];
  top_memory: Process[];
  top_io: Process[];
}

export interface Sensor {
  name: string;
  celsius: number;
}

export interface Fan {
  name: string;
  rpm: number;
}

export interface Battery {
  name: string;
  charge_percent: number;
  state: 'unknown' | 'charging' | 'discharging' | 'full' | 'not_charging';
}

export interface Gpu {
  id: string;
  name: string;
  utilisation_percent: number | null;
  memory_used_bytes: number | null;
  memory_total_bytes: number | null;
  celsius: number | null;
  power_watts: number | null;
}

export interface SmartDisk {
  device: string;
  model: string;
  serial: string;
  passed: boolean;
  celsius: number | null;
  power_on_hours: number | null;
  bad_sectors: number | null;
  wear_percent: number | null;
}

export interface Container {
  id: string;
  name: string;
  image: string;
  state: string;
  health: string;
  cpu_percent: number;
  memory_bytes: number;
  /** 0 where there is no limit. */
  memory_limit_bytes: number;
  rx_bytes_per_s: number;
  tx_bytes_per_s: number;
}

export interface Services {
  active: number;
  failed: number;
  failed_units: string[];
}

export interface CustomMetric {
  name: string;
  instance: string;
  value: number;
  unit: string;
}

/** One look at a host. */
export interface Sample {
  at: number;
  uptime_s: number;
  cpu: Cpu;
  load: Load;
  memory: Memory;
  pressure: Pressure | null;
  filesystems: Filesystem[];
  disks: Disk[];
  networks: Network[];
  tcp_connections: number;
  sockets: Sockets | null;
  file_descriptors: { open: number; max: number } | null;
  processes: Processes;
  sensors: Sensor[];
  fans: Fan[];
  batteries: Battery[];
  gpus: Gpu[];
  smart_disks: SmartDisk[];
  containers: Container[];
  services: Services | null;
  custom: CustomMetric[];
}

const count = absentAs(0, num);
const text = absentAs('', str);

function numbers<T extends { [K in keyof T]: number }>(...names: (keyof T & string)[]): Parse<T> {
  return shape(Object.fromEntries(names.map((name) => [name, num])) as { [K in keyof T]-?: Parse<T[K]> });
}

function some<T>(parse: Parse<T>): Parse<T[]> {
  return absentAs<T[]>([], list(parse));
}

export const parseProcess: Parse<Process> = shape<Process>({
  pid: int,
  name: str,
  cpu_percent: num,
  memory_bytes: num,
  command: text,
  user: text,
  read_bytes_per_s: count,
  write_bytes_per_s: count,
});

const parseCpu = shape<Cpu>({
  usage_percent: num,
  cores_percent: list(num),
  modes: optional(numbers<CpuModes>('user_percent', 'system_percent', 'iowait_percent', 'steal_percent', 'idle_percent')),
  frequency_mhz: optional(num),
});

const parseMemory = shape<Memory>({
  total_bytes: num,
  used_bytes: num,
  available_bytes: num,
  swap_total_bytes: num,
  swap_used_bytes: num,
  detail: optional(
    shape<MemoryDetail>({
      free_bytes: num,
      buffers_bytes: num,
      cached_bytes: num,
      dirty_bytes: num,
      huge_pages_total_bytes: count,
      huge_pages_used_bytes: count,
    }),
  ),
  swap_rates: optional(numbers<SwapRates>('in_bytes_per_s', 'out_bytes_per_s')),
});

const parseFilesystem = shape<Filesystem>({
  mount: str,
  device: str,
  fs_type: str,
  total_bytes: num,
  used_bytes: num,
  available_bytes: num,
  inodes: optional(numbers<{ total: number; used: number }>('total', 'used')),
  read_only: absentAs(false, bool),
});

const parseDisk = shape<Disk>({
  device: str,
  read_bytes_per_s: num,
  write_bytes_per_s: num,
  reads_per_s: num,
  writes_per_s: num,
  times: optional(numbers<DiskTimes>('read_await_ms', 'write_await_ms', 'queue_length', 'utilisation_percent')),
});

const parseNetwork = shape<Network>({
  interface: str,
  rx_bytes_per_s: num,
  tx_bytes_per_s: num,
  rx_packets_per_s: num,
  tx_packets_per_s: num,
  rx_errors_per_s: num,
  tx_errors_per_s: num,
  rx_drops_per_s: count,
  tx_drops_per_s: count,
});

const parseSockets = shape<Sockets>({
  udp: num,
  tcp_time_wait: num,
  tcp: optional(numbers<TcpStates>('established', 'syn_sent', 'syn_received', 'fin_wait', 'close_wait', 'last_ack', 'listen', 'closing')),
});

const parseProcesses = shape<Processes>({
  total: int,
  states: optional(numbers<ProcessStates>('running', 'sleeping', 'blocked', 'stopped', 'zombie', 'idle')),
  top_cpu: list(parseProcess),
  top_memory: list(parseProcess),
  top_io: some(parseProcess),
});

const parseGpu = shape<Gpu>({
  id: str,
  name: str,
  utilisation_percent: optional(num),
  memory_used_bytes: optional(num),
  memory_total_bytes: optional(num),
  celsius: optional(num),
  power_watts: optional(num),
});

const parseSmartDisk = shape<SmartDisk>({
  device: str,
  model: str,
  serial: text,
  passed: bool,
  celsius: optional(num),
  power_on_hours: optional(num),
  bad_sectors: optional(num),
  wear_percent: optional(num),
});

const parseContainer = shape<Container>({
  id: str,
  name: str,
  image: text,
  state: str,
  health: text,
  cpu_percent: num,
  memory_bytes: num,
  memory_limit_bytes: count,
  rx_bytes_per_s: num,
  tx_bytes_per_s: num,
});

export const parseSample: Parse<Sample> = shape<Sample>({
  at: int,
  uptime_s: int,
  cpu: parseCpu,
  load: numbers<Load>('one', 'five', 'fifteen'),
  memory: parseMemory,
  pressure: optional(
    numbers<Pressure>('cpu_some_percent', 'memory_some_percent', 'memory_full_percent', 'io_some_percent', 'io_full_percent'),
  ),
  filesystems: list(parseFilesystem),
  disks: list(parseDisk),
  networks: list(parseNetwork),
  tcp_connections: int,
  sockets: optional(parseSockets),
  file_descriptors: optional(numbers<{ open: number; max: number }>('open', 'max')),
  processes: parseProcesses,
  sensors: list(shape<Sensor>({ name: str, celsius: num })),
  fans: some(shape<Fan>({ name: str, rpm: num })),
  batteries: some(
    shape<Battery>({
      name: str,
      charge_percent: num,
      state: oneOf<Battery['state']>('unknown', 'charging', 'discharging', 'full', 'not_charging'),
    }),
  ),
  gpus: some(parseGpu),
  smart_disks: some(parseSmartDisk),
  containers: some(parseContainer),
  services: optional(shape<Services>({ active: num, failed: num, failed_units: some(str) })),
  custom: some(shape<CustomMetric>({ name: str, instance: text, value: num, unit: text })),
});
