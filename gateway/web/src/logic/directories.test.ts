// Directories beside the space in use.
import { expect, it } from 'vitest';
import { directoryRows } from './directories';

const directories = [
  { path: '/var/lib/docker', bytes: 60 },
  { path: '/home', bytes: 30 },
];
const filesystem = (used_bytes: number) => ({ mount: '/', device: 'sda1', used_bytes, available_bytes: 1 });
const shares = (used: number | null) => directoryRows({ directories, filesystem: used === null ? null : filesystem(used) }).map((row) => row.usedPercent);

it('shows each directory with its share of the space in use', () => {
  expect(directoryRows({ directories, filesystem: filesystem(120) })[0]).toEqual({ path: '/var/lib/docker', bytes: 60, usedPercent: 50 });
  expect(shares(40)).toEqual([100, 75]);
});

it('shows no share where it is not known what is in use', () => {
  expect(shares(null)).toEqual([null, null]);
  expect(shares(0)).toEqual([null, null]);
});
