// What is asked for after events and losses, and which of it a browser is told.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { AlertApi } from '../io/api-alerts';
import type { Alert, HostMark } from '../io/contract-alerts';
import type { Feed, Listener } from '../io/feed';
import { showNotice } from '../io/notices';
import { alert } from '../logic/testing-alerts';
import { AlertService } from './alert-service';

vi.mock('../io/notices', () => ({ showNotice: vi.fn() }));

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.clearAllMocks();
});

const counts = { open: 700, acknowledged: 0, critical: 700, high: 0, medium: 0, low: 0 };

/** A service whose gateway has these critical tickets, and marks of hosts of its own. */
async function watching(criticals: readonly Alert[], marks: readonly HostMark[] = []) {
  const gateway = { criticals, marks };
  const activeAlerts = vi.fn(async () => ({ items: gateway.criticals, next: null, counts }));
  const alertHosts = vi.fn(async () => ({ items: gateway.marks }));
  let listener: Listener | null = null;
  const subscribe = (_topic: string, given: Listener) => ((listener = given), () => undefined);
  const service = new AlertService({ activeAlerts, alertHosts } as unknown as AlertApi, { subscribe } as unknown as Feed);
  service.start();
  await vi.advanceTimersByTimeAsync(1_000);
  return { service, gateway, feed: listener as unknown as Listener };
}

async function toldAfter(happens: () => void): Promise<string[]> {
  happens();
  await vi.advanceTimersByTimeAsync(1_000);
  return vi.mocked(showNotice).mock.calls.map(([{ title }]) => title);
}

const opened = { host: 'web-1', kind: 'alert_opened', at: 1, detail: { id: 4, key: 'k', title: 'four', priority: 'critical', status: 'open' } };

it('tells of what was opened while the feed was away or left frames out, and not of what was there before', async () => {
  const { gateway, feed } = await watching([alert({ id: 3, title: 'three' })]);
  gateway.criticals = [alert({ id: 4, title: 'four' }), ...gateway.criticals];
  expect(await toldAfter(() => feed.onSubscribed?.())).toEqual(['four']);
  gateway.criticals = [alert({ id: 5, title: 'five' }), ...gateway.criticals];
  expect(await toldAfter(() => feed.onDropped?.(9))).toEqual(['four', 'five']);
});

it('keeps quiet about an opening whose ticket is over, silenced or late when it is heard', async () => {
  const { gateway, feed } = await watching([]);
  expect(await toldAfter(() => feed.onData({ ...opened, detail: { ...opened.detail, status: 'resolved' } }, 1))).toEqual([]);
  gateway.criticals = [alert({ id: 4, is_late: true }), alert({ id: 5, is_silenced: true })];
  expect(await toldAfter(() => feed.onData(opened, 1))).toEqual([]);
});

it('marks hosts by what the gateway says of all of them, not by the tickets it was given', async () => {
  const { service } = await watching([], [{ host: 'db-1', number: 2, worst: 'high' }]);
  expect(service.state.get().hosts.get('db-1')).toEqual({ number: 2, worst: 'high' });
  expect(service.state.get().counts).toEqual(counts);
});

it('reads lists again after an event', async () => {
  const { service, feed } = await watching([]);
  const { revision } = service.state.get();
  await toldAfter(() => feed.onData(opened, 1));
  expect(service.state.get().revision).toBe(revision + 1);
});
