// Bars add up, and what was not counted is not a bar of nothing.
import { expect, it } from 'vitest';
import { barsOf } from './log-bars';

it('stacks severities and leaves out what was not counted', () => {
  const { bars, lines, highest, totals } = barsOf({
    from: 0,
    to: 180_000,
    step_ms: 60_000,
    timestamps: [0, 60_000, 120_000],
    series: [
      { severity: 'error', counts: [null, 3, 0] },
      { severity: 'warn', counts: [null, 1, 0] },
    ],
    searched_until: 60_000,
  });
  expect([lines, highest]).toEqual([4, 4]);
  expect(totals).toEqual([
    { severity: 'error', lines: 3 },
    { severity: 'warn', lines: 1 },
  ]);
  expect(bars.map((bar) => bar.lines)).toEqual([null, 4, 0]);
  expect(bars[1]?.parts).toEqual([
    { severity: 'error', lines: 3, height: 0.75, base: 0 },
    { severity: 'warn', lines: 1, height: 0.25, base: 0.75 },
  ]);
  expect(bars[2]?.parts).toEqual([]);
});
