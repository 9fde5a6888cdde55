import { describe, expect, it } from 'vitest';
import type { Availability, HostEvent } from '../io/contract';
import { availabilityPercent, eventWords, outageWords, segmentsOf } from './events';

function event(kind: string, detail: Record<string, unknown> = {}): HostEvent {
  return { id: '1', at: 100_000, kind, detail };
}

describe('an event in words', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['online', { away_ms: null }, 'heard for the first time'],
    ['online', { away_ms: 125_000 }, 'after 2 min 5 s away'],
    ['offline', { last_heartbeat_at: 9_000, interval_ms: 30_000 }, 'last heartbeat 1 min 31 s before, one is due every 30 s'],
    ['gap', { channel: 'logs', messages: 20 }, '20 messages of logs; the agent is asked for them'],
    ['gap_repaired', { channel: 'logs', messages: 1, attempts: 2 }, '1 message of logs, here now, after 2 attempts'],
    ['gap_lost', { channel: 'logs', messages: 3, cause: 'trimmed' }, '3 messages of logs: the broker lost it after the journal had kept it long enough'],
    ['dead_letters_discarded', { by: 'ada', letters: [4, 7] }, '2 dead letters, by ada'],
    ['from_the_future', { what: 'ever' }, ''],
  ])('%s', (kind, detail, more) => {
    expect(eventWords(event(kind, detail)).more).toBe(more);
  });

  it('names a kind it does not know', () => {
    expect(eventWords(event('from_the_future')).title).toBe('from the future');
  });
});

it('leads from an event to its ticket, where it says which', () => {
  const opened = event('alert_opened', { id: 4, title: 'CPU of web-3', priority: 'critical', status: 'open' });
  expect(eventWords(opened)).toEqual({ title: 'Alert opened', more: 'CPU of web-3 (critical, open)', tone: 'bad', href: '/alerts/4' });
  expect(eventWords(event('alert_resolved'))).toEqual({ title: 'Alert resolved', more: '', tone: 'good' });
});

describe('availability', () => {
  const day: Availability = {
    from: 0,
    to: 1_000_000,
    percent: 75,
    online_ms: 750_000,
    offline_ms: 250_000,
    unknown_ms: 0,
    outages: 1,
    intervals: [
      { status: 'online', from: 0, to: 750_000 },
      { status: 'offline', from: 750_000, to: 1_000_000 },
    ],
  };

  it('is a strip of parts', () => {
    expect(segmentsOf(day).map(({ left, width }) => [left, width])).toEqual([
      [0, 75],
      [75, 25],
    ]);
  });

  it('is told in words, and never rounded up to all', () => {
    expect(outageWords(day)).toBe('1 outage, 4 min 10 s offline');
    expect(outageWords({ ...day, outages: 0, offline_ms: 0 })).toBe('no outage');
    expect(outageWords({ ...day, unknown_ms: 500_000 })).toBe('1 outage, 4 min 10 s offline, known for 8 min 20 s');
    expect(outageWords({ ...day, percent: null })).toBe('nothing was heard of it');
    expect(availabilityPercent({ ...day, percent: 99.9999 })).toBe('99.99 %');
    expect(availabilityPercent({ ...day, percent: null })).toBe('not known');
  });
});
