// Rules, backtests, channels and silences as the gateway writes them.
import { expect, it } from 'vitest';
import { definition, silence, written } from '../logic/testing-alerts';
import { parseChannel, parseDeadman, parseDeadPage, parseSilence } from './contract-channels';
import { parseBacktest, parseDefinition, parseRule, parseVocabulary } from './contract-rules';

it('reads each kind of condition, and fills in what it does not have', () => {
  expect(parseDefinition(written())).toEqual(definition());
  const offline = { kind: 'offline', metric: null, instance: null, op: null, threshold: null, baseline_factor: null, limit_min: null, clear_at: null, share_percent: null };
  expect(parseDefinition(written({ condition: { kind: 'offline' } })).condition).toEqual(offline);
  const group = { kind: 'group', metric: 'load.one', op: 'at_least', baseline_factor: 3, share_percent: 20 };
  expect(parseDefinition(written({ condition: group })).condition).toMatchObject({ ...group, threshold: null, limit_min: null });
  expect(parseDefinition(written({ condition: { ...group, limit_min: 4 } })).condition.limit_min).toBe(4);
});

it.each([
  [{ condition: { kind: 'moon' } }, 'definition.condition.kind is "moon"'],
  [{ condition: { kind: 'metric', op: 'over' } }, 'definition.condition.op is "over"'],
  [{ for_s: 'long' }, 'definition.for_s is "long"'],
  [{ escalation: [{ after_s: 1 }] }, 'definition.escalation[0].channels is missing'],
])('refuses a rule with %j by the name of the field', (changes, complaint) => {
  const rule = { id: 1, version: 1, is_default: false, created_at: 1, updated_at: 1, updated_by: null, firing: 0, pending: 0 };
  expect(() => parseRule({ ...rule, definition: written(changes) })).toThrow(complaint);
});

it('reads how many hosts a rule is about, where that is said', () => {
  const rule = { id: 1, version: 1, is_default: false, created_at: 1, updated_at: 1, updated_by: null, firing: 0, pending: 0, definition: written() };
  expect(parseRule({ ...rule, hosts_selected: 0 }).hosts_selected).toBe(0);
  expect(parseRule({ ...rule, hosts_selected: null }).hosts_selected).toBeNull();
  expect(parseRule(rule).hosts_selected).toBeNull();
});

it('reads what a form may offer', () => {
  const vocabulary = { metrics: [{ name: 'load.one', unit: 'load', has_instance: false, has_samples: true }], template_fields: ['host'], limits: { rules: 500 } };
  expect(parseVocabulary(vocabulary).metrics).toEqual(vocabulary.metrics);
});

it('reads a backtest of hosts and of a group', () => {
  const answer = { from: 1, to: 9, hosts: 2, hosts_selected: 2, samples: 4, resolution_s: null, is_partial: false, episodes_total: 7, pages: 1, duration_ms: 3 };
  const episode = { instance: '', from: 2, fires_at: 3, to: null, peak: 99, would_page_at: 3, title: 't' };
  const read = parseBacktest({ ...answer, episodes: [{ ...episode, host: 'web-1' }, { ...episode, host: null }] });
  expect(read.episodes.map(({ host }) => host)).toEqual(['web-1', null]);
  expect(read.episodes_total).toBe(7);
});

it('reads channels with whatever their kind defines, and dead notifications', () => {
  const channel = { id: 1, name: 'n', kind: 'slack', definition: { kind: 'slack', url: { stored: true } }, is_default: true, enabled: true, updated_at: 1, updated_by: null, version: 1, sent_24h: 0, dead_24h: 0, last_error: null, waiting: 0 };
  expect(parseChannel(channel)).toEqual(channel);
  expect(() => parseChannel({ ...channel, definition: 'x' })).toThrow('definition is "x"');
  const dead = { id: 1, channel_id: 1, channel: 'n', kind: 'opened', state: 'dead', attempts: 9, error: null, sent_at: null, created_at: 1, title: 't', alert_ids: [4] };
  expect(parseDeadPage({ items: [dead], next: null }).items).toEqual([dead]);
});

it('reads a silence and the dead-man’s switch', () => {
  expect(parseSilence(silence())).toEqual(silence());
  expect(() => parseSilence({ ...silence(), recurrence: { weekdays: ['someday'], time: '02:00', duration_s: 60, zone: 'UTC' } })).toThrow('recurrence.weekdays[0] is "someday"');
  expect(parseDeadman({ version: 0, url: null, interval_s: 60, last_at: null, last_error: null, updated_by: null })).toMatchObject({ url: null, interval_s: 60 });
});
