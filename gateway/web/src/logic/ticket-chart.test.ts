// What a ticket's page shows of its time.
import { expect, it } from 'vitest';
import type { Metrics } from '../io/contract';
import { alert } from './testing-alerts';
import { episodeBand, instanceFilter, isDrawn, logSpan, metricData, spanAround } from './ticket-chart';

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

it('draws what samples hold of one host', () => {
  expect(isDrawn(alert())).toBe(true);
  expect(isDrawn(alert({ host_id: null }))).toBe(false);
  expect(isDrawn(alert({ metric: 'host.offline' }))).toBe(false);
  expect(episodeBand(alert({ begun_at }), begun_at + HOUR)).toMatchObject({ from: begun_at, to: begun_at + HOUR, tone: 'episode', words: 'breached for 1 h' });
});

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
