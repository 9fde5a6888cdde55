import { expect, it } from 'vitest';
import { isMoments, whenFrom, whenOf, whenSpan, whenWords } from './log-time';

it('reads a time from the address and passes over what is none', () => {
  expect(['7d', '5-9', '9-5', 'ever', '', null].map(whenFrom)).toEqual(['7d', '5-9', '', '', '', '']);
});

it('gives the span of a time', () => {
  expect(whenSpan('1h', 10_000_000)).toEqual({ from: 6_400_000, to: null });
  expect(whenSpan(whenOf(5.2, 9.4), 100)).toEqual({ from: 5, to: 9 });
  expect(whenSpan('', 100)).toBeNull();
});

it('says it in words', () => {
  expect([whenWords('7d'), whenWords('')]).toEqual(['last 7 days', 'last 24 hours']);
  expect([isMoments('7d'), isMoments('5-9')]).toEqual([false, true]);
});
