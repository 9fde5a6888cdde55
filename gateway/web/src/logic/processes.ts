// The order of a process list.
import type { Process } from '../io/contract';

export const PROCESS_KEYS = ['cpu', 'memory', 'read', 'write', 'name', 'user', 'pid'] as const;
export type ProcessKey = (typeof PROCESS_KEYS)[number];

/** A live list of a large host has thousands; people look at the top. */
export const ROWS_MAX = 500;

const VALUES: Record<ProcessKey, (process: Process) => number | string> = {
  cpu: (process) => process.cpu_percent,
  memory: (process) => process.memory_bytes,
  read: (process) => process.read_bytes_per_s,
  write: (process) => process.write_bytes_per_s,
  name: (process) => process.name,
  user: (process) => process.user,
  pid: (process) => process.pid,
};

/** Numbers largest first, names from A, and a process number from 1. */
export function ordered(processes: readonly Process[], key: ProcessKey, text: string): Process[] {
  const wanted = text.trim().toLowerCase();
  const found = processes.filter(({ name, command, user, pid }) => `${name} ${command} ${user} ${pid}`.toLowerCase().includes(wanted));
  const value = VALUES[key];
  return found.toSorted((a, b) => compare(value(a), value(b), key === 'pid') || a.pid - b.pid);
}

function compare(a: number | string, b: number | string, ascending: boolean): number {
  if (typeof a === 'string' || typeof b === 'string') return String(a).localeCompare(String(b));
  return ascending ? a - b : b - a;
}
