// The columns of the fleet table in their order: headings, and which are numbers.
import type { SortKey } from '../logic/fleet-order';

export interface Column {
  key: SortKey;
  title: string;
  numeric: boolean;
}

export const COLUMNS: readonly Column[] = [
  { key: 'host', title: 'Host', numeric: false },
  { key: 'status', title: 'Status', numeric: false },
  { key: 'cpu', title: 'CPU', numeric: true },
  { key: 'memory', title: 'Memory', numeric: true },
  { key: 'disk', title: 'Disk', numeric: true },
  { key: 'network', title: 'Network', numeric: true },
  { key: 'load', title: 'Load', numeric: true },
  { key: 'temperature', title: 'Temp', numeric: true },
  { key: 'uptime', title: 'Uptime', numeric: true },
  { key: 'seen', title: 'Last seen', numeric: true },
];
