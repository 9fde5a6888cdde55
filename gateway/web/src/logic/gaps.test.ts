import { describe, expect, it } from 'vitest';
import type { Completeness, FleetChannel, Gap } from '../io/contract';
import { backfillSentence, fleetSentence, gapStory, judge, missingBands } from './gaps';

function gap(changes: Partial<Gap> = {}): Gap {
  return { epoch: 1, from: 10, to: 19, since: 5_000, from_at: 1_000, to_at: 2_000, state: 'lost', cause: 'dropped', attempts: 1, ...changes };
}

function report(gaps: Gap[], percent = 99): Completeness {
  return { percent, channels: [{ channel: 'telemetry', percent, stored: 90, dead: 0, gaps, repaired: 0, lost: 0 }], backfilled: [] };
}

describe('a report', () => {
  it('counts what is missing and is complete only without any', () => {
    expect(judge(report([gap(), gap({ from: 30, to: 30, state: 'open' })]))).toEqual({ complete: false, percent: 99, missing: 11 });
    expect(judge(report([], 100)).complete).toBe(true);
  });

  it('counts open and lost gaps once, not what was repaired, and at least what the channel says', () => {
    const some = report([gap({ state: 'open' }), gap({ state: 'repaired' })]);
    expect(judge(some).missing).toBe(10);
    some.channels[0]!.lost = 18;
    expect(judge(some).missing).toBe(18);
  });

  it.each<[string, Partial<Gap>, string]>([
    ['lost with a cause', {}, 'the agent’s journal was full or damaged'],
    ['lost for a cause that is new', { cause: 'stolen' }, 'stolen'],
    ['new', { state: 'open', cause: null, attempts: 0 }, 'not asked for yet, or its host does not answer'],
    ['asked for in vain', { state: 'open', cause: null, attempts: 1 }, 'asked for once, to be asked for again'],
    ['asked for', { state: 'repairing', cause: null, attempts: 3 }, 'asked for 3 times'],
  ])('tells of a gap that is %s', (_, changes, words) => {
    expect(gapStory(gap(changes))).toBe(words);
  });
});

describe('the bands of a chart', () => {
  const span = { from: 0, to: 100_000 };

  it('are where samples are missing, joined where they nearly touch', () => {
    const bands = missingBands(report([gap(), gap({ from: 20, to: 24, from_at: 2_400, to_at: 3_000 }), gap({ from: 40, to: 40, from_at: 50_000, to_at: 50_000 })]), span);
    expect(bands).toEqual([
      { from: 1_000, to: 3_000, lost: true, words: '15 messages lost' },
      { from: 50_000, to: 50_000, lost: true, words: '1 message lost' },
    ]);
  });

  it('leave out other times, times not known yet, and other channels', () => {
    const logs = report([gap()]);
    logs.channels[0]!.channel = 'logs';
    expect(missingBands(logs, span)).toEqual([]);
    expect(missingBands(report([gap({ from_at: null, to_at: null }), gap({ from_at: 200_000, to_at: 300_000 })]), span)).toEqual([]);
  });

  it('keep what is lost apart from what may still come', () => {
    const bands = missingBands(report([gap(), gap({ from_at: 2_000, to_at: 2_500, state: 'open' })]), span);
    expect(bands.map((band) => band.lost)).toEqual([true, false]);
  });
});

function channel(missing: number, lost: number): FleetChannel {
  return { channel: 'logs', percent: 50, stored: 1, dead: 0, missing, repaired: 0, lost };
}

describe('what came late', () => {
  it.each([
    [{ channel: 'logs', hosts: 1, ranges: 1, messages: 1, latest_at: 940_000 }, 'Logs: 1 message of one stretch of time of one host came late and is stored; the last 60 s ago.'],
    [{ channel: 'telemetry', hosts: 3, ranges: 4, messages: 1200, latest_at: 999_000 }, 'Telemetry: 1,200 messages of 4 stretches of time of 3 hosts came late and are stored; the last now.'],
  ])('is one sentence', (late, words) => {
    expect(backfillSentence(late, 1_000_000)).toBe(words);
  });
});

describe('the sentence of the fleet', () => {
  it.each<[FleetChannel[], string]>([
    [[], 'No agent has sent anything yet.'],
    [[channel(0, 0), channel(0, 0)], 'All 2 messages that agents ever sent are accounted for.'],
    [[channel(1, 0)], '1 message is missing and may still come: the agents are asked for it.'],
    [[channel(3, 3)], '3 messages are lost for good; all others are accounted for.'],
    [[channel(3, 1), channel(2, 2)], '5 messages are missing: 3 lost for good, 2 may still come.'],
  ])('%#', (channels, words) => {
    expect(fleetSentence(channels)).toBe(words);
  });
});
