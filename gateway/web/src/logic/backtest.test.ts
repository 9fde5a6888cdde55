// What is made of the answer to a backtest: its sentence, what it leaves out, its strips and bands.
import { expect, it } from 'vitest';
import type { Backtest, Episode } from '../io/contract-rules';
import { backtestLimits, backtestSentence, episodeBands, isCalm, spanOfEpisode, stripsOf, untestable } from './backtest';

const DAY = 86_400_000;

function episode(changes: Partial<Episode> = {}): Episode {
  return { host: 'web-1', instance: '', from: DAY, to: DAY + 3_600_000, peak: 97, would_page_at: DAY + 300_000, ...changes };
}

function result(episodes: Episode[], changes: Partial<Backtest> = {}): Backtest {
  return { from: 0, to: 10 * DAY, hosts: 4, hosts_selected: 4, samples: 9, resolution_s: 5, is_partial: false, episodes, episodes_total: episodes.length, pages: episodes.length, duration_ms: 1, ...changes };
}

it('says in one sentence how often, where and whether anybody is paged', () => {
  expect(backtestSentence(result([]))).toBe('It would not have fired: 4 hosts in 10 d were looked at.');
  expect(backtestSentence(result([episode()]))).toBe('It would have fired once on 1 of 4 hosts in 10 d; somebody would have been paged once.');
  expect(backtestSentence(result([episode(), episode({ host: 'db-1' })], { episodes_total: 1_200, pages: 0 }))).toBe('It would have fired 1,200 times on 2 of 4 hosts in 10 d; nobody would have been paged.');
  expect(backtestSentence(result([episode({ host: null })]))).toBe('It would have fired once in 10 d; somebody would have been paged once.');
  expect(backtestSentence(result([], { samples: 0 }))).toMatch(/^No sample .* nothing can be said/);
  expect(backtestSentence(result([], { samples: 0, hosts: 0, hosts_selected: 0 }))).toMatch(/^It selects no host/);
  expect([isCalm(result([])), isCalm(result([], { samples: 0 })), isCalm(result([episode()]))]).toEqual([true, false, false]);
});

it('is honest about what it leaves out', () => {
  expect(backtestLimits(result([]))).toEqual([]);
  expect(backtestLimits(result([episode()], { hosts_selected: 214, resolution_s: 60, is_partial: true, episodes_total: 2_000 }))).toHaveLength(4);
  // Buckets are judged by their extremes: a short peak is found, and only its time is not exact.
  expect(backtestLimits(result([episode()], { resolution_s: 3_600 }))).toEqual(['Samples were read as the lowest and highest of each 1 h: times are right to within that.']);
});

it('draws a strip for each host, the one that fired longest first', () => {
  const strips = stripsOf(result([episode(), episode({ host: 'db-1', from: 5 * DAY, to: null, would_page_at: null }), episode({ from: 2 * DAY, to: 2 * DAY + 1 })]));
  expect(strips.map(({ host, episodes }) => [host, episodes])).toEqual([['db-1', 1], ['web-1', 2]]);
  expect(strips[0]?.parts).toMatchObject([{ left: 50, width: 50, pages: false }]);
});

it('lays the episodes of one host over its metric', () => {
  const found = result([episode(), episode({ host: 'db-1' }), episode({ from: 9 * DAY, to: null })]);
  expect(episodeBands(found, 'web-1')).toMatchObject([{ from: DAY, tone: 'episode', words: 'would have fired for 1 h' }, { to: 10 * DAY }]);
});

it('looks at an episode with what was before and after, within what was tested', () => {
  expect(spanOfEpisode(episode({ from: 0, to: 60_000 }), { from: 0, to: DAY })).toEqual({ from: 0, to: 960_000 });
});

it('says why there is nothing to test by', () => {
  const metrics = [{ name: 'clock.offset_ms', unit: 'ms', has_instance: false, has_samples: false }];
  expect(untestable('offline', '', metrics)).toMatch(/offline/);
  expect(untestable('metric', ' clock.offset_ms ', metrics)).toMatch(/Samples do not hold/);
  expect(untestable('metric', 'custom.mine', metrics)).toBe('');
});
