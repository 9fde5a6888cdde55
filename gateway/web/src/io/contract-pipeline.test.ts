// Answers as the gateway gives them: taken whole, and refused by name where a field is missing.
import { expect, it } from 'vitest';
import { parseLetterDetail } from './contract-letters';
import { parsePipeline } from './contract-pipeline';

const verdict = { state: 'ok', sentence: 'all is well', can_hold_s: null, as_of: null };

const channel = { messages_per_s: 0.63, rows_per_s: 10.31, messages: 14, rows: 230, batch_messages: 1, commit_ms_p50: 10.2, commit_ms_p99: null, redelivered: 0, duplicates: 0, dead_letters: 0, lag_ms: 215, last_error: null, held: { at: 1, reason: 'the database is away' } };

const answer = {
  at: 1,
  state: 'held',
  held_at: 'workers',
  sentence: 'workers wait',
  agents: { ...verdict, hosts: 0, hosts_with_backlog: 0, waiting: 0, bytes: 0, dropped: 0, fullest: { host: 'web-3', waiting: 1, bytes: 2, bytes_max: 3, full_percent: 66.7, fill_bytes_per_s: null, can_hold_s: null } },
  broker: {
    ...verdict,
    streams: [{ name: 'LOGS', messages: 0, bytes: 0, bytes_max: 8, age_s_max: 9, oldest_at: null, inflow_bytes_per_s: null, can_hold_s: 9 }],
    consumers: [{ name: 'ingest-logs', stream: 'LOGS', pending: 0, ack_pending: 0, redelivered: 0, waiting_requests: 1, lag_s: 0.5 }],
  },
  workers: { ...verdict, state: 'held', lag_s: 0, waiting: 0, items: [{ id: 'b1', kind: 'ingest-worker', hostname: 'vm', pid: 7, version: '0.1.0', started_at: 1, seen_at: 2, gone: false, held: null, channels: { telemetry: channel } }] },
  database: { ...verdict, version: '', engine: '', connections: 0, connections_max: 0, answer_ms: 0, commit_ms_p99: null, oldest_transaction_s: 0, size_bytes: null },
  ledger: { ...verdict, hosts_with_gaps: 0, gaps: 0, missing: 0, dropped: 0 },
  dead_letters: { ...verdict, count: 0, bytes: 0, oldest_at: null },
};

it('reads the pipeline, also where nothing was heard yet', () => {
  const read = parsePipeline(answer);
  expect(read).toMatchObject({ held_at: 'workers', database: { version: '', size_bytes: null } });
  expect(read.workers.items[0]?.channels['telemetry']?.held?.reason).toBe('the database is away');
});

it('names what is wrong in it', () => {
  expect(() => parsePipeline({ ...answer, held_at: 'moon' })).toThrow('held_at is "moon"');
  const { lag_s: _, ...without } = answer.workers;
  expect(() => parsePipeline({ ...answer, workers: without })).toThrow('workers.lag_s is missing');
});

const letter = { id: 4, at: 1, stream: 'logs', subject: 'logs.web-3', host: null, message_id: null, reason: 'broken', content_type: null, size: 2, kept: 2, retries: 0, preview: null, headers: { 'Muster-Reason': ['broken'] }, body_base64: 'AAE=' };

it.each([[null], [[1, 2]], [{ v: 1 }]])('takes %j for the body of a dead letter', (body) => {
  expect(parseLetterDetail({ ...letter, body })).toEqual({ ...letter, body });
});

it('refuses a body that is a mere number', () => {
  expect(() => parseLetterDetail({ ...letter, body: 7 })).toThrow('body is 7');
});
