// Which hosts of the fleet are shown and in what order. Hosts without a value come last whichever
// way a column is sorted: their absence is no figure. Ties are broken by id, so rows never shuffle.
import type { Host, HostStatus } from '../io/contract';

export type SortKey =
  | 'status'
  | 'host'
  | 'cpu'
  | 'memory'
  | 'disk'
  | 'network'
  | 'load'
  | 'temperature'
  | 'uptime'
  | 'seen';

export interface Order {
  key: SortKey;
  descending: boolean;
}

export interface Filter {
  text: string;
  status: 'all' | 'online' | 'offline';
}

export const FIRST_ORDER: Order = { key: 'host', descending: false };
export const NO_FILTER: Filter = { text: '', status: 'all' };

const STATUS_RANK: Record<HostStatus, number> = { offline: 0, unknown: 1, online: 2 };

/** In percent, where both are known and there is anything. */
export function shareOf(used: number | null, total: number | null): number | null {
  return used === null || !total ? null : (used / total) * 100;
}

export function memoryPercent(host: Host): number | null {
  const latest = host.latest;
  return latest && shareOf(latest.memory_used_bytes, latest.memory_total_bytes);
}

function sum(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}

function sortValue(host: Host, key: Exclude<SortKey, 'host'>): number | null {
  const latest = host.latest;
  switch (key) {
    case 'status':
      return STATUS_RANK[host.status];
    case 'seen':
      return host.last_seen_at;
    case 'cpu':
      return latest?.cpu_usage_percent ?? null;
    case 'memory':
      return memoryPercent(host);
    case 'disk':
      return latest?.disk_used_percent ?? null;
    case 'network':
      return latest && sum(latest.network_rx_bytes_per_s, latest.network_tx_bytes_per_s);
    case 'load':
      return latest?.load_1 ?? null;
    case 'temperature':
      return latest?.temperature_max_celsius ?? null;
    case 'uptime':
      return latest?.uptime_s ?? null;
  }
}

// Hosts are counted up in names (web-9, web-10), and people expect that order.
const byName = new Intl.Collator('en', { numeric: true });

export function matches(host: Host, filter: Filter): boolean {
  if (filter.status !== 'all' && host.status !== filter.status) return false;
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const labels = Object.entries(host.labels).map(([name, value]) => `${name}=${value}`);
  const searched = [host.id, ...labels].join(' ').toLowerCase();
  return words.every((word) => searched.includes(word));
}

/** The ids to show, in order. */
export function orderedIds(hosts: Iterable<Host>, filter: Filter, order: Order): string[] {
  const shown = [...hosts].filter((host) => matches(host, filter));
  const sign = order.descending ? -1 : 1;
  if (order.key === 'host') {
    return shown.map((host) => host.id).toSorted((a, b) => sign * byName.compare(a, b));
  }
  const { key } = order;
  const keyed = shown.map((host) => ({ id: host.id, value: sortValue(host, key) }));
  keyed.sort((a, b) => compareValues(a.value, b.value, sign) || byName.compare(a.id, b.id));
  return keyed.map(({ id }) => id);
}

function compareValues(a: number | null, b: number | null, sign: number): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return sign * (a - b);
}

/** A second click turns the order around; figures start with the largest, names with the first. */
export function nextOrder(current: Order, key: SortKey): Order {
  if (current.key === key) return { key, descending: !current.descending };
  return { key, descending: key !== 'host' && key !== 'status' };
}
