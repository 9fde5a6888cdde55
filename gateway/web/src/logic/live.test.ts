// The live view's states, the range in the address, retry pauses and the visible rows: small laws.
import { describe, expect, it } from 'vitest';
import { DELAY_MS_MAX, retryDelayMs } from './backoff';
import { clockOffsetMs } from './clock';
import { LIVE_START, liveSpan, ticked, withComplaint, withSample, WINDOW_MS } from './live';
import { customRange, FIRST_RANGE, PRESETS, rangeFromSearch, rangeToSearch, refreshMs, spanOf, widened, type Range } from './range';
import { sample } from './testing';
import { visibleRows } from './window';

describe('the live view', () => {
  it('waits, is live with a sample, and waits again after silence', () => {
    const live = withSample(LIVE_START, sample(1_000), 50);
    expect([LIVE_START.phase, live.phase]).toEqual(['waiting', 'live']);
    expect(ticked(live, 1_050).phase).toBe('live');
    expect(ticked(live, 9_999).phase).toBe('waiting');
  });

  it('says why the agent is silent until it answers', () => {
    const silent = withComplaint(LIVE_START, 'the agent did not answer');
    expect(ticked(silent, 1e9)).toMatchObject({ phase: 'silent', reason: 'the agent did not answer' });
    expect(withSample(silent, sample(1_000), 50)).toMatchObject({ phase: 'live', reason: null });
  });

  it('keeps five minutes and takes no sample twice', () => {
    let live = LIVE_START;
    for (let second = 1; second <= 400; second += 1) live = withSample(live, sample(second * 1_000), second);
    live = withSample(live, sample(400_000), 401);
    expect(live.samples.length).toBe(300);
    expect(liveSpan(live.samples, 0)).toEqual({ from: 400_000 - 299_000, to: 400_000 });
    expect(WINDOW_MS).toBe(300_000);
  });

  it('keeps the last process lists over samples without any', () => {
    const process = { pid: 1, name: 'init', cpu_percent: 1, memory_bytes: 1, command: '', user: '', read_bytes_per_s: 0, write_bytes_per_s: 0 };
    const lists = { top_cpu: [process], top_memory: [process], top_io: [] };
    const full = sample(1_000, { processes: { total: 1, states: null, ...lists } });
    expect(withSample(withSample(LIVE_START, full, 1), sample(2_000), 2).topCpu).toEqual([process]);
  });
});

describe('the range', () => {
  it('survives the way through the address', () => {
    const ranges: Range[] = [
      { kind: 'live' },
      { kind: 'custom', from: 1_000_000, to: 2_000_000 },
      ...PRESETS.map((preset) => ({ kind: 'preset', preset }) as const),
    ];
    for (const range of ranges) expect(rangeFromSearch(rangeToSearch(range))).toEqual(range);
  });

  it('falls back to an hour for nonsense', () => {
    for (const search of ['', '?range=2y', '?from=9&to=1', '?from=x', '?from=0']) {
      expect(rangeFromSearch(search)).toEqual(FIRST_RANGE);
    }
    expect(customRange(0, 9_999)).toBeNull();
  });

  it('widens a zoom that is too narrow, around its middle', () => {
    expect(widened(100_000, 102_000)).toEqual({ from: 96_000, to: 106_000 });
    expect(widened(0, 60_000)).toEqual({ from: 0, to: 60_000 });
  });

  it('refreshes at the step rate, and not what has ended', () => {
    const hour = { kind: 'preset', preset: '1h' } as const;
    expect(spanOf(hour, 4_000_000)).toEqual({ from: 400_000, to: 4_000_000 });
    expect(refreshMs(hour, 15_000, 0)).toBe(15_000);
    expect(refreshMs(hour, 1_000, 0)).toBe(5_000);
    expect(refreshMs({ kind: 'custom', from: 0, to: 10 }, 15_000, 11)).toBeNull();
    expect(refreshMs({ kind: 'live' }, 15_000, 0)).toBeNull();
  });
});

it('waits longer after each failure, within bounds and spread out', () => {
  expect([0, 1, 2, 20].map((attempt) => retryDelayMs(attempt, 0))).toEqual([500, 1_000, 2_000, DELAY_MS_MAX]);
  expect(retryDelayMs(0, 0.999)).toBeGreaterThanOrEqual(250);
});

it('corrects a wrong clock but not a slow network', () => {
  expect([clockOffsetMs(10_000, 10_400), clockOffsetMs(70_000, 10_000)]).toEqual([0, 60_000]);
});

it('draws only rows near the screen, and never rows that do not exist', () => {
  expect(visibleRows(0, 800, 40, 10_000)).toEqual({ first: 0, end: 32 });
  expect(visibleRows(200_000, 800, 40, 10_000)).toEqual({ first: 4_988, end: 5_032 });
  expect(visibleRows(9e9, 800, 40, 100)).toEqual({ first: 100, end: 100 });
  expect(visibleRows(-5_000, 800, 40, 100)).toEqual({ first: 0, end: 0 });
});
