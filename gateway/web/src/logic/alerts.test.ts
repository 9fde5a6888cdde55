// The inbox: its filter in the address, its counts, and the words for a ticket.
import { describe, expect, it } from 'vitest';
import type { Alert } from '../io/contract-alerts';
import {
  acknowledgeable,
  acknowledgedWords,
  alertFilterFrom,
  alertQueryOf,
  badgeOf,
  byHost,
  countOf,
  isLabel,
  isNarrowed,
  labelsOf,
  lastedMs,
  marksOf,
  NO_ALERT_FILTER,
  placeOfKey,
  resolutionWords,
  sinceWords,
  subjectWords,
  thresholdWords,
  titleMark,
  valueWords,
} from './alerts';
import { burialOf, entryWords, KINDS_KNOWN } from './alert-history';
import { alert } from './testing-alerts';

const valueSaid = (changes: Partial<Alert>) => `${valueWords(alert(changes))} of ${thresholdWords(alert(changes))}`;

function said(kind: string, by: string | null, detail: Record<string, unknown>): string {
  const { title, more } = entryWords({ id: 1, at: 1, kind, by, detail }, 'percent');
  return `${title}|${more}`;
}

const filterOf = (query: string) => alertFilterFrom(new URLSearchParams(query));

describe('the filter in the address', () => {
  it('shows what is active where nothing is asked for', () => {
    expect(filterOf('')).toEqual(NO_ALERT_FILTER);
    expect(alertQueryOf(NO_ALERT_FILTER).size).toBe(0);
  });

  it.each(['status=resolved&priority=high&host=web-1&rule=7&when=24h&q=disk+full', 'status=all', 'host=db-1', 'label=role%3Dweb', 'label=canary'])('reads %s back as it was written', (query) => {
    expect(alertQueryOf(filterOf(query)).toString()).toBe(query);
  });

  it('asks for nothing that makes no sense', () => {
    expect(filterOf('status=mine&priority=urgent&host=../x&label=role%3D&rule=1e3&when=ever')).toEqual(NO_ALERT_FILTER);
  });

  it('is narrowed by anything but the state', () => {
    expect(isNarrowed(filterOf('status=all'))).toBe(false);
    expect(isNarrowed(filterOf('rule=7'))).toBe(true);
  });
});

it('takes a label with a value or without, and offers those of the fleet once each', () => {
  expect(['role=web', 'canary', 'rack=a=1', '', '=web', 'role=', ' role'].map(isLabel)).toEqual([true, true, true, false, false, false, false]);
  const hosts = [{ labels: { role: 'web', env: 'live' } }, { labels: { role: 'db' } }, { labels: { role: 'web' } }, { labels: {} }];
  expect(labelsOf(hosts)).toEqual(['env=live', 'role=db', 'role=web']);
});

const counts = { open: 6, acknowledged: 2, critical: 3, high: 2, medium: 2, low: 1 };

it('counts what the gateway counts, and leaves the rest open', () => {
  expect([countOf('active', counts), countOf('open', counts), countOf('resolved', counts)]).toEqual([8, 6, null]);
});

it('warns at the link by the worst of what is not resolved, and of open ones only', () => {
  expect(badgeOf(counts)).toEqual({ number: 6, tone: 'bad', words: '6 open, 3 critical' });
  expect(badgeOf({ ...counts, critical: 0 })?.tone).toBe('warm');
  expect(badgeOf({ ...counts, critical: 0, high: 0 })?.tone).toBe('plain');
  expect(badgeOf({ ...counts, open: 0 })).toBeNull();
  expect([titleMark(counts), titleMark(null), titleMark({ ...counts, open: 0 })]).toEqual(['(6) ', '', '']);
});

it('says the value and the limit in the unit of the metric', () => {
  expect(valueSaid({})).toBe('96.4 % of 90 %');
  expect(valueSaid({ metric: 'network.rx_bytes_per_s', value: 1_572_864, threshold: 1_048_576 })).toBe('1.50 MiB/s of 1 MiB/s');
  expect(valueSaid({ metric: 'logs.error_lines_per_min', value: 1_240, threshold: 100 })).toBe('1,240 lines/min of 100 lines/min');
  expect(valueSaid({ metric: 'host.offline', value: null, threshold: null })).toBe('– of –');
  // The value of a group is a share of hosts, whatever its metric.
  expect(valueSaid({ metric: 'custom.pool_free', host_id: null, hosts_count: 9, value: 37.5, threshold: 20 })).toBe('37.5 % of 20 %');
});

it('says whom it is about and for how long', () => {
  expect(subjectWords(alert({ instance: '/var' }))).toBe('web-1 /var');
  expect(subjectWords(alert({ host_id: null, hosts_count: 9 }))).toBe('9 hosts');
  expect(sinceWords(alert(), 61_000)).toBe('for 1 min');
  expect(sinceWords(alert({ status: 'resolved', resolved_at: 121_000 }), 999_000)).toBe('lasted 2 min');
  expect(lastedMs(alert(), 0)).toBe(0);
});

it('marks what is special about it', () => {
  expect(marksOf(alert({ is_late: true, is_flapping: true, superseded_by: '2/web-1//0' })).map(([word]) => word)).toEqual(['late', 'flapping', 'superseded']);
  expect(resolutionWords('moved_away')).toBe('Moved away.');
  expect(resolutionWords(null)).toBe('');
});

it.each(['recovered', 'unheard', 'superseded', 'rule_changed', 'host_removed', 'by_hand'])('has a sentence of its own for an end by %s', (how) => {
  const words = how.replaceAll('_', ' ');
  expect(resolutionWords(how).toLowerCase()).not.toBe(`${words}.`);
  expect(resolutionWords(how)).toMatch(/^[A-Z].*\.$/u);
});

it.each([
  ['1/web-1//1000', { rule: '1', host: 'web-1' }],
  ['12//x/1000', { rule: '12', host: '' }],
  ['nonsense', null],
])('reads the place in the key %s', (key, place) => {
  expect(placeOfKey(key)).toEqual(place);
});

it('finds by host what is not resolved there', () => {
  const hosts = byHost([{ host: 'web-1', number: 2, worst: 'high' }, { host: 'db-1', number: 1, worst: 'medium' }]);
  expect([hosts.get('web-1'), hosts.has('db-2'), hosts.size]).toEqual([{ number: 2, worst: 'high' }, false, 2]);
});

it('acknowledges of what was chosen only what is shown and open', () => {
  const shown = [alert({ id: 1 }), alert({ id: 2, status: 'acknowledged' }), alert({ id: 3 })];
  expect(acknowledgeable(shown, new Set([1, 2, 9]))).toEqual([1]);
  expect(acknowledgedWords({ done: 3, refused: [] })).toBe('3 alerts acknowledged.');
  expect(acknowledgedWords({ done: 1, refused: [{ id: 2, reason: 'it is resolved' }] })).toBe('1 alert acknowledged. 1 alert could not be: it is resolved.');
});

/** As alert-worker/src/logic/writes.rs and io/notices.rs write them, and the gateway. */
const KINDS = 'opened reopened priority flapping quiet silenced silence_ended current resolved told_nobody acknowledged unacknowledged commented notification_retried notification_discarded';

it.each(KINDS.split(' '))('has words for %s, which a worker or the gateway writes into the history', (kind) => {
  expect(KINDS_KNOWN).toContain(kind);
});

it('tells what happened to a ticket, also what is new to it', () => {
  expect(said('opened', null, { value: 96.4, threshold: 90 })).toBe('Opened|at 96.4 %');
  expect(said('acknowledged', 'ada', { comment: 'mine' })).toBe('Acknowledged|mine');
  expect(said('commented', 'ada', { text: 'two\nlines' })).toBe('Comment|two\nlines');
  expect(said('resolved', null, { how: 'recovered', superseded_by: null })).toBe('Resolved|It recovered.');
  expect(said('resolved', 'ada', {})).toBe('Resolved|');
  expect(said('told_nobody', null, { kind: 'opened', reason: 'no channel is enabled' })).toBe('Nobody was notified|no channel is enabled');
  expect(said('told_nobody', null, { kind: 'escalated', reason: 'no channel is enabled' })).toBe('Nobody was notified|Escalation, not acknowledged: no channel is enabled');
  expect(said('sent_to_moon', null, { text: 7 })).toBe('Sent to moon|');
});

it('shows a notification again that was tried again and failed again', () => {
  const dead = { id: 7, state: 'dead', attempts: 5, error: 'refused', sent_at: null, channel_id: 1, channel: 'chat', kind: 'opened', created_at: 1_000, title: '', alert_ids: [] };
  expect(burialOf({ ...dead, attempts: 6 })).toBe(burialOf(dead));
  expect(burialOf({ ...dead, created_at: 2_000 })).not.toBe(burialOf(dead));
});
