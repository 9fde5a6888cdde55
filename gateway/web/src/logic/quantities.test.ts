// What people type for durations and amounts, and what is made of it.
import { expect, it } from 'vitest';
import { amountText, durationText, readAmount, readDuration } from './quantities';

it.each([
  ['', 0],
  ['0', 0],
  ['90 s', 90],
  ['5 min', 300],
  ['5m', 300],
  ['1 h 30 min', 5_400],
  ['1.5h', 5_400],
  ['2 d', 172_800],
  ['1w', 604_800],
  ['5', null],
  ['five minutes', null],
  ['5 min or so', null],
  ['-5 min', null],
  ['5 years', null],
])('reads %j as %j seconds', (text, seconds) => {
  expect(readDuration(text)).toBe(seconds);
});

it.each([0, 1, 59, 60, 90, 300, 3_600, 5_400, 86_399, 86_400, 604_800, 2_592_000])('writes %i seconds so that they read back', (seconds) => {
  expect(readDuration(durationText(seconds))).toBe(seconds);
});

it.each([
  ['90', 'percent', 90],
  ['90 %', 'percent', 90],
  ['-0.5', '', -0.5],
  ['1.5 GiB', 'bytes', 1_610_612_736],
  ['10MiB/s', 'bytes_per_s', 10_485_760],
  ['1 GB', 'bytes', 1_000_000_000],
  ['500 ms', 'ms', 500],
  ['', 'percent', null],
  ['a lot', 'percent', null],
  ['1.5 GiB', 'percent', null],
  ['NaN', '', null],
  ['9 parsecs', 'bytes', null],
])('reads %j in %s as %j', (text, unit, value) => {
  expect(readAmount(text, unit)).toBe(value);
});

it.each([
  [0, 'bytes'],
  [1, 'bytes'],
  [1_536, 'bytes'],
  [1_610_612_736, 'bytes_per_s'],
  [123_456_789, 'bytes'],
  [0.1, 'load'],
  [90, 'percent'],
])('writes %d of %s so that it reads back', (value, unit) => {
  expect(readAmount(amountText(value, unit), unit)).toBe(value);
});
