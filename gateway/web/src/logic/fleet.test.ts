// The fleet reducer and its order: what frames may and may not change, and how rows are sorted.
import { describe, expect, it } from 'vitest';
import { countHosts, EMPTY_FLEET, keepOnly, withEvent, withPage, withPatches } from './fleet';
import { matches, nextOrder, NO_FILTER, orderedIds, type SortKey } from './fleet-order';
import { host, latest } from './testing';

const two = withPage(EMPTY_FLEET, [host('web-1'), host('web-2', { status: 'offline', status_since: 500 })]);
const event = (kind: string, id: string, at: number) => ({ host: id, kind, at, detail: {} });

describe('the fleet', () => {
  it('takes live figures and reports hosts it does not know', () => {
    const figures = latest({ at: 2_000, cpu_usage_percent: 77 });
    const { fleet, unknown } = withPatches(two, [
      { id: 'web-1', latest: figures },
      { id: 'db-1', latest: figures },
    ]);
    expect(fleet.hosts.get('web-1')).toMatchObject({ latest: figures, last_seen_at: 2_000 });
    expect(unknown).toEqual(['db-1']);
  });

  it('ignores figures older than those it has, and keeps the object of an unchanged host', () => {
    const { fleet } = withPatches(two, [{ id: 'web-1', latest: latest({ at: 1 }) }]);
    expect(fleet.hosts.get('web-1')).toBe(two.hosts.get('web-1'));
    expect(fleet.hosts.get('web-2')).toBe(two.hosts.get('web-2'));
  });

  it('follows events, but not late ones', () => {
    expect(withEvent(two, event('online', 'web-2', 900)).fleet.hosts.get('web-2')?.status).toBe('online');
    expect(withEvent(two, event('online', 'web-2', 400)).fleet).toBe(two);
    expect(withEvent(two, event('alert_opened', 'web-2', 900)).fleet).toBe(two);
    expect(withEvent(two, event('online', 'db-1', 900)).unknown).toEqual(['db-1']);
  });

  it('does not go back in time when a page of the list arrives late', () => {
    const { fleet } = withPatches(two, [{ id: 'web-1', latest: latest({ at: 5_000 }) }]);
    expect(withPage(fleet, [host('web-1')]).hosts.get('web-1')?.latest?.at).toBe(5_000);
  });

  it('forgets what a complete listing no longer has', () => {
    expect([...keepOnly(two, new Set(['web-2'])).hosts.keys()]).toEqual(['web-2']);
    expect(keepOnly(two, new Set(['web-1', 'web-2']))).toBe(two);
  });

  it('counts an unknown host in all only', () => {
    const three = withPage(two, [host('new', { status: 'unknown' })]);
    expect(countHosts(three)).toEqual({ all: 3, online: 1, offline: 1 });
  });
});

describe('the order', () => {
  const hosts = [
    host('web-10', { latest: latest({ cpu_usage_percent: 5 }) }),
    host('web-9', { latest: null, status: 'offline' }),
    host('db-1', { latest: latest({ cpu_usage_percent: 90, temperature_max_celsius: 40 }) }),
    host('db-2', { latest: latest({ cpu_usage_percent: 5 }) }),
  ];
  const check = (key: SortKey, descending: boolean, ids: string[]) =>
    expect(orderedIds(hosts, NO_FILTER, { key, descending })).toEqual(ids);

  it('counts numbers in names', () => check('host', false, ['db-1', 'db-2', 'web-9', 'web-10']));
  it('puts missing values last, largest first', () => check('cpu', true, ['db-1', 'db-2', 'web-10', 'web-9']));
  it('puts missing values last, smallest first', () => check('cpu', false, ['db-2', 'web-10', 'db-1', 'web-9']));
  it('shows offline hosts first by status', () => check('status', false, ['web-9', 'db-1', 'db-2', 'web-10']));
  it('handles a column few hosts have', () => check('temperature', true, ['db-1', 'db-2', 'web-9', 'web-10']));

  it('starts figures with the largest and names with the first', () => {
    expect(nextOrder({ key: 'host', descending: false }, 'cpu')).toEqual({ key: 'cpu', descending: true });
    expect(nextOrder({ key: 'cpu', descending: true }, 'cpu')).toEqual({ key: 'cpu', descending: false });
    expect(nextOrder({ key: 'cpu', descending: true }, 'host')).toEqual({ key: 'host', descending: false });
  });

  it('searches names and labels, all words', () => {
    const labelled = host('web-1', { labels: { rack: 'r7' } });
    const found = (text: string) => matches(labelled, { text, status: 'all' });
    expect([found('WEB'), found('rack=r7'), found('web r7'), found('web r8'), found(' ')]).toEqual([
      true,
      true,
      true,
      false,
      true,
    ]);
    expect(matches(labelled, { text: '', status: 'offline' })).toBe(false);
  });
});
