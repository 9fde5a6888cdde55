// What a ticket's page shows of its time.
import { expect, it } from 'vitest';
import type { Metrics } from '../io/contract';
import type { Ticket } from '../io/contract-alerts';
import { alert } from './testing-alerts';
import { drawnMetric, episodeBand, groupData, groupTitle, hostsDrawn, hostTitle, instanceFilter, logSpan, logWords, metricData, spanAround } from './ticket-chart';

const MIN = 60_000;
const HOUR = 60 * MIN;
const begun_at = 100 * HOUR;

it('shows what was usual before and after, and nothing of the future', () => {
  const over = alert({ begun_at, resolved_at: begun_at + 4 * HOUR });
  expect(spanAround(over, 200 * HOUR)).toEqual({ from: begun_at - 2 * HOUR, to: begun_at + 6 * HOUR });
  expect(spanAround(over, begun_at + 5 * HOUR).to).toBe(begun_at + 5 * HOUR);
  const now = begun_at + 2 * MIN;
  expect(spanAround(alert({ begun_at }), now)).toEqual({ from: begun_at - 15 * MIN, to: now });
});

it('does not make a hair of a breach that lasted for weeks', () => {
  expect(spanAround(alert({ begun_at }), begun_at + 700 * HOUR).from).toBe(begun_at - 6 * HOUR);
});

it('reads log lines from before it began, and not for ever', () => {
  expect(logSpan(alert({ begun_at }), begun_at + 50 * HOUR)).toEqual({ from: begun_at - 10 * MIN, to: begun_at + 110 * MIN });
  expect(logSpan(alert({ begun_at, resolved_at: begun_at + 5 * MIN }), begun_at + HOUR).to).toBe(begun_at + 6 * MIN);
});

it('reads the last words of a host that went away, not what it says when it is back', () => {
  const away = alert({ metric: 'host.offline', begun_at });
  expect(logSpan(away, begun_at + 50 * HOUR)).toEqual({ from: begun_at - 30 * MIN, to: begun_at + MIN });
  expect(logSpan({ ...away, resolved_at: begun_at + 20_000 }, begun_at + HOUR).to).toBe(begun_at + 20_000);
});

it('draws what samples hold of its host, or of the hosts of a group', () => {
  const hosts = Array.from({ length: 20 }, (_, index) => `web-${index}`);
  expect(hostsDrawn({ ...ticket, context: { ...ticket.context, hosts } })).toEqual(hosts.slice(0, 8));
  expect(hostsDrawn({ ...ticket, host_id: 'db-1' })).toEqual(['db-1']);
  expect([groupTitle('load.one', 8, 1_200), groupTitle('load.one', 3, 3)]).toEqual(['load.one of 8 of the 1,200 hosts', 'load.one of the hosts']);
  expect(episodeBand(alert({ begun_at }), begun_at + HOUR)).toMatchObject({ from: begun_at, to: begun_at + HOUR, tone: 'episode', words: 'breached for 1 h' });
});

const drawn = (metric: string) => [drawnMetric({ metric }), hostTitle(alert({ metric })), episodeBand(alert({ metric, begun_at }), begun_at + HOUR).words];

it('draws how busy a host was of what no sample holds, and counts log lines', () => {
  expect(drawn('load.one')).toEqual(['load.one', 'load.one', 'breached for 1 h']);
  expect(drawn('host.offline')).toEqual(['cpu.usage_percent', 'CPU usage before and after it went offline', 'offline for 1 h']);
  expect(drawn('clock.offset_ms')).toEqual(['cpu.usage_percent', 'CPU usage while the clock was off', 'clock off for 1 h']);
  expect(drawnMetric({ metric: 'logs.error_lines_per_min' })).toBeNull();
  expect(hostTitle(alert({ metric: 'filesystem.used_percent', instance: '/var' }))).toBe('filesystem.used_percent of /var');
  expect([logWords(alert({ host_id: null })), logWords(alert({ metric: 'host.offline' }))]).toEqual(['Errors logged by all hosts', 'Log lines before it went away']);
});

const ticket: Ticket = { ...alert({ host_id: null, hosts_count: 20 }), description: '', recommendation: '', context: { processes: [], filesystem: null, directories: [], directories_partial: false, hosts: [] }, unit: 'percent', history: [], notifications: [] };

const metrics: Metrics = {
  host: 'web-1',
  from: 0,
  to: 2,
  step_ms: 1,
  source: 'raw',
  timestamps: [0, 1],
  series: ['/', '/var', '/var/log'].map((instance) => ({ name: 'filesystem.used_percent', instance, unit: 'percent', values: [1, 2], max: [2, 3] })),
};

it.each([
  ['/var', ['/var'], true],
  ['/var*', ['/var', '/var/log'], false],
  ['', ['/', '/var', '/var/log'], false],
  [null, ['/', '/var', '/var/log'], false],
])('draws of %j the lines %j', (pattern, labels, withPeak) => {
  const data = metricData(metrics, 'filesystem.used_percent', instanceFilter(pattern));
  expect(data.lines.map(({ label }) => label)).toEqual(labels);
  expect(data.lines[0]?.peak !== null).toBe(withPeak);
  expect(metricData(metrics, 'load.one', instanceFilter(pattern)).lines).toEqual([]);
});

const load = (changes: Partial<Metrics>, values: number[]): Metrics => ({ ...metrics, ...changes, series: [{ name: 'load.one', instance: null, unit: 'load', values, max: values }] });

const linesOf = (answers: Metrics[]) => groupData(answers, 'filesystem.used_percent')?.lines.map(({ label }) => label);

it('draws a line of each host of a group, the loudest of each before the second of any', () => {
  const [root, , log] = metrics.series;
  if (!root || !log) throw new Error('three filesystems');
  const loud = { ...metrics, series: [root, { ...log, values: [null, 9] }] };
  expect(linesOf([loud, { ...metrics, host: 'web-2', series: [{ ...root, instance: null }] }])).toEqual(['web-1 /var/log', 'web-2', 'web-1 /']);
  const many = Array.from({ length: 8 }, (_, index) => ({ ...metrics, host: `web-${index}` }));
  expect(linesOf(many)).toEqual(many.map(({ host }) => `${host} /`));
  expect(groupData(many, 'filesystem.used_percent')?.hidden).toBe(16);
  expect([groupData([], 'load.one'), groupData(many, 'load.one')?.lines]).toEqual([null, []]);
});

it('lays hosts that are kept differently long over the coarsest steps', () => {
  const data = groupData([load({ step_ms: 1, timestamps: [0, 1, 2, 3] }, [1, 2, 3, 4]), load({ host: 'web-2', step_ms: 2, timestamps: [0, 2, 4] }, [7, 8, 9])], 'load.one');
  expect(data?.timestamps).toEqual([0, 2, 4]);
  expect(data?.lines.map(({ values }) => values)).toEqual([[1, 3, null], [7, 8, 9]]);
});
