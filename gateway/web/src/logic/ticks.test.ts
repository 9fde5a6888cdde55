import { expect, it } from 'vitest';
import { timeTicks } from './ticks';

function at(text: string): number {
  return new Date(text).getTime();
}

it('puts ticks at round times and not at the very ends', () => {
  const ticks = timeTicks(at('2026-11-21T11:00:00'), at('2026-11-21T11:15:00'), 10);
  expect(ticks.map(({ label }) => label)).toEqual(['11:02', '11:04', '11:06', '11:08', '11:10', '11:12', '11:14']);
  expect(ticks[0]?.part).toBeCloseTo(2 / 15);
  expect(timeTicks(at('2026-11-20T11:30:00'), at('2026-11-21T11:45:00'), 10).map(({ label }) => label)).toEqual(['15:00', '18:00', '21:00', '21 Nov', '03:00', '06:00', '09:00']);
});
