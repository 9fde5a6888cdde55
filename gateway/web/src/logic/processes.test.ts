import { expect, it } from 'vitest';
import { ordered } from './processes';

const process = (pid: number, name: string, cpu_percent: number) => ({
  pid,
  name,
  cpu_percent,
  memory_bytes: pid,
  command: `${name} --serve`,
  user: 'www',
  read_bytes_per_s: 0,
  write_bytes_per_s: 0,
});

it('puts the largest number, the first name and the lowest pid on top', () => {
  const all = [process(3, 'b', 5), process(1, 'c', 7), process(2, 'a', 7)];
  const pids = (key: Parameters<typeof ordered>[1], text = '') => ordered(all, key, text).map(({ pid }) => pid);
  expect(pids('cpu')).toEqual([1, 2, 3]);
  expect(pids('memory')).toEqual([3, 2, 1]);
  expect(pids('name')).toEqual([2, 3, 1]);
  expect(pids('pid')).toEqual([1, 2, 3]);
  expect(pids('cpu', 'B --SERVE')).toEqual([3]);
});
