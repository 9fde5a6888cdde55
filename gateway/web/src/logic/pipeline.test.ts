// What the page says of the river in each of its states.
import { describe, expect, it } from 'vitest';
import type { ChannelWork, Pipeline, StageName, Worker } from '../io/contract-pipeline';
import { heldWords, holdTime, lagTime, markOf, stagesOf, workersInOrder } from './pipeline';

const NOW = 1_000_000;

const verdict = { state: 'ok', sentence: 'all is well', can_hold_s: 86_400, as_of: NOW } as const;

const work: ChannelWork = {
  messages_per_s: 2,
  rows_per_s: 30,
  messages: 9,
  batch_messages: 1,
  commit_ms_p50: 4,
  commit_ms_p99: 9,
  redelivered: 3,
  duplicates: 0,
  dead_letters: 0,
  lag_ms: 20,
  last_error: null,
  held: null,
};

function worker(id: string, changes: Partial<Worker> = {}): Worker {
  return { id, kind: 'ingest-worker', hostname: 'vm', pid: 7, version: '0.1.0', started_at: 0, seen_at: NOW, gone: false, held: null, channels: { telemetry: work }, ...changes };
}

function pipeline(changes: Partial<Pipeline> = {}): Pipeline {
  return {
    at: NOW,
    state: 'ok',
    held_at: null,
    sentence: 'everything that is sent arrives',
    agents: { ...verdict, hosts: 7, hosts_with_backlog: 1, waiting: 3, bytes: 2048, dropped: 0, fullest: null },
    broker: {
      ...verdict,
      streams: [{ name: 'TELEMETRY', messages: 4, bytes: 512, bytes_max: 1024, age_s_max: 60, oldest_at: null, inflow_bytes_per_s: 1024, can_hold_s: 60 }],
      consumers: [],
    },
    workers: { ...verdict, lag_s: 0.2, waiting: 0, items: [worker('a'), worker('b', { kind: 'alert-worker' })] },
    database: { ...verdict, can_hold_s: null, version: '15.1', engine: 'plain', connections: 9, connections_max: 200, answer_ms: 0.4, commit_ms_p99: 9, oldest_transaction_s: 0, size_bytes: 1024 },
    ledger: { ...verdict, hosts_with_gaps: 0, gaps: 0, missing: 0, dropped: 0 },
    dead_letters: { ...verdict, count: 0, bytes: 0, oldest_at: null },
    ...changes,
  };
}

const letters = (count: number) => ({ dead_letters: { ...verdict, count, bytes: 1, oldest_at: 1 } });

function stage(name: StageName, changes: Partial<Pipeline> = {}) {
  const found = stagesOf(pipeline(changes)).find((one) => one.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

describe('a stage', () => {
  it('says what flows into it, counting stored messages once', () => {
    expect(stagesOf(pipeline()).map((one) => one.inflow?.words)).toEqual([undefined, '1 KiB/s', '2 messages/s', '30 rows/s']);
  });

  it('says that nothing flows into one that is down, or that was not heard of for long', () => {
    const { database, workers } = pipeline();
    expect(stage('database', { database: { ...database, state: 'down' } }).inflow).toEqual({ words: 'stopped', moves: false });
    expect(stage('workers', { workers: { ...workers, as_of: NOW - 20_000 } })).toMatchObject({ inflow: { moves: false }, oldSince: NOW - 20_000 });
    const held = worker('a', { channels: { telemetry: { ...work, held: { at: 1, reason: 'no answer' } } } });
    for (const items of [[], [held]]) {
      expect(stage('database', { workers: { ...workers, items } }).inflow).toEqual({ words: 'nothing comes', moves: false });
    }
  });

  it('could hold while all is well, and holds for a time once nothing leaves it', () => {
    const { agents, broker, database } = pipeline();
    expect(stage('broker').hold).toEqual({ words: 'Streams could hold 1 d', level: 'calm' });
    const down = { ...database, state: 'down' } as const;
    expect(stage('workers', { database: down }).hold?.words).toBe('Safe in the streams for 1 d');
    expect(stage('broker', { broker: { ...broker, state: 'held', can_hold_s: 1_800 } }).hold).toEqual({ words: 'Streams hold 30 min more', level: 'warm' });
    const full = { agents: { ...agents, can_hold_s: 0 }, broker: { ...broker, state: 'down' } } as const;
    expect(stage('agents', full).hold).toEqual({ words: 'Journals are full: the oldest is dropped', level: 'hot' });
    const overflowing = { workers: { ...pipeline().workers, state: 'held', can_hold_s: 0 } } as const;
    expect(stage('workers', overflowing).hold).toEqual({ words: 'Streams are full: the oldest is dropped', level: 'hot' });
    expect(stage('database').hold).toBeNull();
  });

  it('is pointed at where it is why', () => {
    expect(stagesOf(pipeline({ held_at: 'workers' })).map((one) => one.heldHere)).toEqual([false, false, true, false]);
  });

  it('shows figures that are not there as missing', () => {
    const { database } = pipeline();
    const unheard = { ...database, as_of: null, connections_max: 0, commit_ms_p99: null, size_bytes: null };
    expect(stage('database', { database: unheard }).figures.map(([, value]) => value)).toEqual(['–', '–', '–', '–']);
  });
});

it('says where it is held, and how long that costs nothing', () => {
  const { agents, broker } = pipeline();
  const journals = { agents: { ...agents, can_hold_s: 273_600 } };
  expect(heldWords(pipeline())).toBeNull();
  // A full stream goes on acknowledging: journals hold nothing of it.
  for (const [at, held] of [['database', 'It stops at the database.'], ['workers', 'It stops at the workers.']] as const) {
    expect(heldWords(pipeline({ ...journals, state: 'down', held_at: at }))).toBe(`${held} The streams hold 1 d more; after that the oldest messages are dropped.`);
    const unknown = { ...journals, broker: { ...broker, can_hold_s: null } };
    expect(heldWords(pipeline({ ...unknown, state: 'down', held_at: at }))).toBe(held);
  }
  expect(heldWords(pipeline({ ...journals, state: 'held', held_at: 'broker' }))).toBe('It is held at the broker. The fullest journal holds 3 d 4 h more; after that the oldest messages are dropped.');
  const full = { broker: { ...broker, can_hold_s: 0 } };
  expect(heldWords(pipeline({ ...full, state: 'down', held_at: 'workers' }))).toBe('It stops at the workers. A stream is at its limit, and its oldest messages are dropped.');
  const unknown = { agents: { ...agents, can_hold_s: null }, broker: { ...broker, can_hold_s: null } };
  expect(heldWords(pipeline({ ...unknown, state: 'down', held_at: 'workers' }))).toBe('It stops at the workers.');
});

it('names times at the length people care for', () => {
  expect([null, -5, 59, 1_066_152, 40_000_000].map(holdTime)).toEqual(['–', '0 s', '59 s', '12 d 8 h', 'over a year']);
  expect([0, 9.94, 75].map(lagTime)).toEqual(['0.0 s', '9.9 s', '1 min 15 s']);
});

it('lists workers that are gone last, the newest of them first', () => {
  const gone = (id: string, seenAt: number) => worker(id, { gone: true, seen_at: seenAt });
  expect(workersInOrder([gone('x', 1), worker('a'), gone('y', 2), worker('b')]).map(({ id }) => id)).toEqual(['a', 'b', 'y', 'x']);
});

it('marks the link for a pipeline that is not well, and else for dead letters', () => {
  expect(markOf(null)).toBeNull();
  expect(markOf(pipeline())).toBeNull();
  expect(markOf(pipeline(letters(1)))).toEqual({ tone: 'warm', words: '1 dead letter waits.' });
  expect(markOf(pipeline({ ...letters(2), state: 'held', sentence: 'workers are behind' }))).toEqual({ tone: 'warm', words: 'Workers are behind.' });
  expect(markOf(pipeline({ state: 'down', sentence: 'no ingest worker runs' }))?.tone).toBe('bad');
});
