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
  problemSentence,
  type Sample,
} from './contract';
import { ContractError, shape, str, int, type Parse } from './guards';

const FOLDER = join(import.meta.dirname, '../../../../schemas/fixtures');

interface LiveSample {
  v: number;
  host: string;
  sample: Sample;
}

const known: Record<string, Parse<unknown>> = {
  'telemetry.json': parseTelemetryEnvelope,
  'event_online.json': parseFleetEvent,
  'event_offline.json': parseFleetEvent,
  'live_sample.json': shape<LiveSample>({ v: int, host: str, sample: parseSample }),
};

type Path = (string | number)[];

/** Every place in what a parser read; the details of an event are free-form and skipped. */
function places(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value)
    .filter(([key]) => key !== 'detail')
    .flatMap(([key, item]) => places(item, [...path, Array.isArray(value) ? Number(key) : key]));
  return path.length === 0 ? inner : [path, ...inner];
}

function changed(golden: unknown, path: Path, change: (owner: Record<string | number, unknown>, key: string | number) => void): unknown {
  const copy = structuredClone(golden);
  let owner = copy as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) owner = owner[step] as Record<string | number, unknown>;
  change(owner, path.at(-1) as string | number);
  return copy;
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

  it('is accepted and read without loss', () => {
    expect(parse(golden)).toMatchObject(name.startsWith('event') ? { host: 'web-3' } : (golden as object));
  });

  it('is refused with the name of a missing field', () => {
    for (const path of places(parse(golden)).filter((one) => typeof one.at(-1) === 'string')) {
      const without = changed(golden, path, (owner, key) => delete owner[key]);
      expect(complaint(parse, without)).toBe(nameOf(path));
    }
  });

  it('is refused with the name of a field of another type', () => {
    for (const path of places(parse(golden))) {
      const other = changed(golden, path, (owner, key) => {
        owner[key] = typeof owner[key] === 'string' ? 7 : 'text';
      });
      expect(complaint(parse, other)).toBe(nameOf(path));
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
    expect(problemSentence({ status: 401, detail: 'wrong password' })).toBe('wrong password');
    expect(problemSentence('<html>')).toBeNull();
  });
});
