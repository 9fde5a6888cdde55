// A form that is read and written again is the same; an empty one sets nothing.
import { expect, it } from 'vitest';
import type { Settings } from '../io/contract-agent';
import { draftOf, settingRows, settingsOf } from './settings-form';

const NOTHING: Settings = {
  sample_interval_ms: null,
  publish_interval_ms: null,
  heartbeat_interval_ms: null,
  log_paths: null,
  labels: null,
  location: null,
  collectors: null,
  mask_arguments: null,
};

const ALL: Settings = {
  sample_interval_ms: 2500,
  publish_interval_ms: 15_000,
  heartbeat_interval_ms: 30_000,
  log_paths: ['/var/log/syslog', '/var/log/*/error.log'],
  labels: { env: 'prod', note: 'a=b' },
  location: 'rack 7',
  collectors: { gpus: false, smart: true },
  mask_arguments: ['--token=\\S+'],
};

it('comes back as it was', () => {
  expect(settingsOf(draftOf(ALL))).toEqual({ settings: ALL });
  expect(settingsOf(draftOf(NOTHING))).toEqual({ settings: {} });
});

it('says which field cannot be read', () => {
  const draft = draftOf(NOTHING);
  expect(settingsOf({ ...draft, sample: 'often' })).toMatchObject({ field: 'sample_interval_ms' });
  expect(settingsOf({ ...draft, labels: 'env' })).toMatchObject({ field: 'labels' });
});

it('lists what is set and nothing else', () => {
  expect(settingRows(NOTHING)).toEqual([]);
  expect(settingRows(ALL).find(([name]) => name === 'Collectors switched off')?.[1]).toBe('gpus');
});
