// Reads the golden messages that the Rust side writes and holds the parsers against them: each must
// be accepted whole, and refused with the field's name once a field is missing or of another type.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  parseFleetEvent,
  parseHost,
  parseSample,
  parseServerFrame,
  parseTelemetryEnvelope,
  problemOf,
  type Sample,
} from './contract';
import {
  parseApplied,
  parseHeartbeat,
  parseLine,
  parseLiveLines,
  parseSystemInfo,
  type LogLine,
} from './contract-agent';
import { ContractError, int, list, shape, str, type Parse } from './guards';

const FOLDER = join(import.meta.dirname, '../../../../schemas/fixtures');

interface LiveSample {
  v: number;
  host: string;
  sample: Sample;
}

/** Of these the dashboard reads only some fields. */
const PARTLY = /^(event|heartbeat|live_logs)/;

interface Envelope<T> {
  v: number;
  host: string;
  epoch: number;
  seq: number;
  sent_at: number;
  body: T;
}

function inEnvelope<T>(parse: Parse<T>): Parse<Envelope<T>> {
  return shape<Envelope<T>>({ v: int, host: str, epoch: int, seq: int, sent_at: int, body: parse });
}

interface InventoryBody<T> {
  at: number;
  kind: string;
  detail: T;
}

function inInventory<T>(parse: Parse<T>): Parse<Envelope<InventoryBody<T>>> {
  return inEnvelope(shape<InventoryBody<T>>({ at: int, kind: str, detail: parse }));
}

const parseLiveLogs = shape<{ host: string; lines: LogLine[] }>({ host: str, lines: list(parseLine) });

const known: Record<string, Parse<unknown>> = {
  'telemetry.json': parseTelemetryEnvelope,
  'telemetry_full.json': parseTelemetryEnvelope,
  'heartbeat.json': inEnvelope(parseHeartbeat),
  'heartbeat_full.json': inEnvelope(parseHeartbeat),
  'logs.json': inEnvelope(parseLiveLines),
  'live_logs.json': parseLiveLogs,
  'inventory_system.json': inInventory(parseSystemInfo),
  'inventory_configuration.json': inInventory(parseApplied),
  'event_online.json': parseFleetEvent,
  'event_offline.json': parseFleetEvent,
  'event_gap.json': parseFleetEvent,
  'event_gap_repaired.json': parseFleetEvent,
  'event_gap_lost.json': parseFleetEvent,
  'event_alert_opened.json': parseFleetEvent,
  'event_alert_changed.json': parseFleetEvent,
  'event_alert_resolved.json': parseFleetEvent,
  'live_sample.json': shape<LiveSample>({ v: int, host: str, sample: parseSample }),
};

/** Fields that the Rust side leaves out where they have nothing to say. */
const OPTIONAL = new Set(
  [
    'modes frequency_mhz detail huge_pages_total_bytes huge_pages_used_bytes swap_rates pressure inodes read_only times',
    'rx_drops_per_s tx_drops_per_s sockets tcp file_descriptors states top_io command user read_bytes_per_s',
    'write_bytes_per_s fans batteries gpus smart_disks containers services custom utilisation_percent memory_used_bytes',
    'memory_total_bytes celsius power_watts serial power_on_hours bad_sectors wear_percent image health',
    'memory_limit_bytes failed_units instance unit truncated_bytes suppressed fields journal collector_errors',
    'clock_offset_ms log_lines_read log_lines_suppressed disks model rotational interfaces mac addresses virtualisation',
    'labels location users sample_interval_ms publish_interval_ms heartbeat_interval_ms log_paths collectors',
    'mask_arguments pinned refused',
  ].flatMap((names) => names.split(' ')),
);

/** The keys of these are names, not fields. */
const MAPS = new Set(['labels', 'fields', 'collectors', 'collector_errors']);

type Path = (string | number)[];

function mayBeAbsent(path: Path): boolean {
  return OPTIONAL.has(String(path.at(-1))) || MAPS.has(String(path.at(-2)));
}

/** Every place in what a parser read; the details of an event are free-form and skipped. */
function places(value: unknown, skip: string, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value)
    .filter(([key]) => key !== skip)
    .flatMap(([key, item]) => places(item, skip, [...path, Array.isArray(value) ? Number(key) : key]));
  return path.length === 0 ? inner : [path, ...inner];
}

function changed(golden: unknown, path: Path, change: (owner: Record<string | number, unknown>, key: string | number) => void): unknown {
  const copy = structuredClone(golden);
  let owner = copy as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) owner = owner[step] as Record<string | number, unknown>;
  change(owner, path.at(-1) as string | number);
  return copy;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((owner, step) => (owner as Record<string | number, unknown>)[step], value);
}

function nameOf(path: Path): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('').slice(1);
}

function complaint(parse: Parse<unknown>, value: unknown): string {
  try {
    parse(value);
  } catch (error) {
    if (error instanceof ContractError) return error.field;
    throw error;
  }
  return 'accepted';
}

const present = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

it('finds the golden messages', () => {
  expect(present.length, `${FOLDER} holds no golden messages`).toBeGreaterThan(0);
  expect(present).toEqual(expect.arrayContaining(Object.keys(known)));
});

describe.each(Object.entries(known))('%s', (name, parse) => {
  const golden: unknown = JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));
  const skip = name.startsWith('event') ? 'detail' : '';

  it('is accepted and read without loss', () => {
    expect(parse(golden)).toMatchObject(PARTLY.test(name) ? { host: 'web-3' } : (golden as object));
  });

  it('is refused with the name of a missing field', () => {
    const named = places(parse(golden), skip).filter((path) => typeof path.at(-1) === 'string' && !mayBeAbsent(path));
    for (const path of named) {
      const without = changed(golden, path, (owner, key) => delete owner[key]);
      expect(complaint(parse, without)).toBe(nameOf(path));
    }
  });

  it('is refused with the name of a field of another type', () => {
    const read = parse(golden);
    for (const path of places(read, skip)) {
      const other = typeof valueAt(read, path) === 'string' ? 7 : 'text';
      const spoiled = changed(golden, path, (owner, key) => (owner[key] = other));
      expect(complaint(parse, spoiled)).toBe(nameOf(path));
    }
  });
});

describe('parsers', () => {
  it('say what they found and what they expected', () => {
    expect(() => parseHost({ id: 'web-3', status: 'asleep' })).toThrow(
      'status is "asleep", expected "online" or "offline" or "unknown"',
    );
    expect(() => parseHost({ id: 'web-3' })).toThrow('status is missing, expected');
    expect(() => parseHost(null)).toThrow('the message is null, expected an object');
  });

  it('ignore fields that are new to them', () => {
    const event = { host: 'web-3', kind: 'online', at: 1, detail: {}, from_the_future: true };
    expect(parseFleetEvent(event)).not.toHaveProperty('from_the_future');
  });

  it('tell the frames of the socket apart', () => {
    expect(parseServerFrame({ type: 'ready' })).toEqual({ type: 'ready' });
    const refused = { type: 'error', topic: null, reason: 'the token has expired' };
    expect(parseServerFrame(refused)).toEqual(refused);
    expect(() => parseServerFrame({ type: 'data', topic: 'hosts' })).toThrow('at is missing');
    expect(() => parseServerFrame({ type: 'poem' })).toThrow('type is "poem"');
  });

  it('find the sentence of a problem answer', () => {
    expect(problemOf({ status: 401, detail: 'wrong password' })).toEqual({ detail: 'wrong password', field: null });
    expect(problemOf('<html>')).toBeNull();
  });
});
