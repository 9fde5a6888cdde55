import { expect, test } from 'vitest';
import { latestOf } from './latest';
import { sample } from './testing';

test('the figures of a sample are those of its parts', () => {
  const latest = latestOf(sample(1));
  expect([latest.cpu_usage_percent, latest.load_1, latest.memory_used_bytes]).toEqual([10, 1, 1]);
  expect([latest.processes_total, latest.tcp_connections]).toEqual([100, 5]);
});

test('what an agent does not know is absent and not zero', () => {
  const bare = sample(1, {
    cpu: { usage_percent: 0, cores_percent: [], modes: null, frequency_mhz: null },
    load: { one: 0, five: 0, fifteen: 0 },
    memory: { total_bytes: 0, used_bytes: 0, available_bytes: 0, swap_total_bytes: 0, swap_used_bytes: 0, detail: null, swap_rates: null },
    tcp_connections: 0,
    processes: { total: 0, states: null, top_cpu: [], top_memory: [], top_io: [] },
  });
  const known = Object.entries(latestOf(bare)).filter(([, value]) => value !== null);
  expect(known.map(([name]) => name)).toEqual(['at', 'uptime_s']);
});
