// How numbers, sizes and times are printed, as tables of input and output.
import { describe, expect, it } from 'vitest';
import { ago, asSentence, bytes, bytesPerSecond, count, duration, exactShare, fileStamp, inUnit, percent, share, timeSpan } from './format';
import { percentTop } from './ticks';

function local(text: string): number {
  return new Date(text).getTime();
}

function check<T>(print: (value: T) => string, table: [T, string][]): void {
  expect(table.map(([value]) => print(value))).toEqual(table.map(([, text]) => text));
}

describe('numbers', () => {
  it('prints bytes in binary units with three digits', () =>
    check(bytes, [
      [0, '0 B'],
      [1023, '1023 B'],
      [1024, '1 KiB'],
      [1536, '1.50 KiB'],
      [10 * 1024 ** 2 + 1, '10.0 MiB'],
      [1024 ** 3 - 1, '1.00 GiB'],
      [500.5 * 1024 ** 3, '501 GiB'],
      [8 * 1024 ** 4, '8 TiB'],
    ]));

  it('prints rates, percentages and counts', () => {
    check(bytesPerSecond, [[2048, '2 KiB/s']]);
    check(percent, [
      [0, '0.0 %'],
      [12.34, '12.3 %'],
      [99.97, '100 %'],
    ]);
    check(count, [
      [1234, '1,234'],
      [123_456, '123k'],
    ]);
  });

  it('never rounds an incomplete share up to all of it', () =>
    check(share, [
      [100, '100 %'],
      [99.999, '99.99 %'],
      [98.76, '98.8 %'],
    ]));

  it('prints an exact share with two decimals', () =>
    check(exactShare, [
      [100, '100 %'],
      [99.99, '99.99 %'],
      [76.2, '76.20 %'],
    ]));

  it('prints a dash for what is missing', () => {
    expect([inUnit('bytes', null), inUnit('load', undefined)]).toEqual(['–', '–']);
  });
});

describe('times', () => {
  it('prints a moment as a part of a file name', () => {
    expect(fileStamp(local('2026-11-21T09:12:59'))).toBe('2026-11-21T0912');
  });

  it('prints a span, naming the day once where it is the same', () => {
    expect(timeSpan(local('2026-11-21T09:12:00'), local('2026-11-21T11:00:00'))).toBe('21 Nov 09:12 – 11:00');
    expect(timeSpan(local('2026-11-21T09:12:00'), local('2026-11-21T09:12:30'))).toBe('21 Nov 09:12:00 – 09:12:30');
    expect(timeSpan(local('2026-11-21T23:12:00'), local('2026-11-22T01:00:00'))).toBe('21 Nov 23:12 – 22 Nov 01:00');
    expect(timeSpan(local('2026-11-21T09:12:00'), local('2026-11-21T09:12:00'))).toBe('21 Nov 09:12:00');
  });

  it('prints the two largest units of a span', () =>
    check(duration, [
      [0, '0 s'],
      [59_000, '59 s'],
      [61_000, '1 min 1 s'],
      [3_600_000, '1 h'],
      [12 * 86_400_000 + 4 * 3_600_000 + 5, '12 d 4 h'],
    ]));

  it('never prints a negative span', () =>
    check((at: number) => ago(at, 1_000_000), [
      [1_005_000, 'now'],
      [992_000, '8 s ago'],
      [1_000_000 - 180_000, '3 min ago'],
    ]));
});

it('makes sentences of reasons', () =>
  check(asSentence, [
    ['no answer within 2 s', 'No answer within 2 s.'],
    ['It is gone.', 'It is gone.'],
  ]));

describe('scales', () => {
  it('keeps quiet hosts low and ends at 100', () =>
    check((highest: number) => String(percentTop(highest)), [
      [0, '10'],
      [12, '25'],
      [48, '100'],
      [99, '100'],
      [100, '100'],
      [350, '400'],
    ]));
});
