// A rule in the form and back, with the field that is wrong named as the gateway names it; and what a
// version changed.
import { describe, expect, it } from 'vitest';
import { parseDefinition } from '../io/contract-rules';
import { unitOfMetric } from './alert-units';
import { besideField, draftOfRule, NEW_RULE, ruleField, ruleOf, withField, withStep, writtenRule, type RuleDraft } from './rule-form';
import { changesOf, conditionWords, lastingWords } from './rule-words';
import { definition, written } from './testing-alerts';

const back = (rule = definition()) => ruleOf(draftOfRule(rule, unitOfMetric), unitOfMetric);

describe('a rule', () => {
  it.each([
    [written()],
    [written({ condition: { kind: 'offline' }, for_s: 0, channels: [], escalation: [] })],
    [written({ condition: { kind: 'metric', metric: 'interface.rx_bytes_per_s', instance: 'eth*', op: 'at_least', baseline_factor: 5 } })],
    [written({ condition: { kind: 'metric', metric: 'network.rx_bytes_per_s', op: 'above', baseline_factor: 5, limit_min: 1_000_000 } })],
    [written({ condition: { kind: 'group', metric: 'load.one', op: 'above', baseline_factor: 5, limit_min: 2, share_percent: 20 } })],
    [written({ condition: { kind: 'metric', metric: 'memory.available_bytes', op: 'below', threshold: 1_610_612_736, clear_at: 2_147_483_648 } })],
    [written({ condition: { kind: 'group', metric: 'custom.pool', op: 'at_most', threshold: 2.25, share_percent: 20 } })],
  ])('comes out of the form as it went in', (rule) => {
    expect(back(parseDefinition(rule))).toEqual({ definition: rule });
    expect(writtenRule(parseDefinition(rule))).toEqual(rule);
  });

  it('leaves out what its kind of condition does not have', () => {
    const draft = { ...draftOfRule(definition(), unitOfMetric), kind: 'offline' as const };
    expect(ruleOf(draft, unitOfMetric)).toMatchObject({ definition: { condition: { kind: 'offline' } } });
    const below: RuleDraft = { ...NEW_RULE, limit: 'baseline', factor: '0.5', op: 'below', limitMin: 'x' };
    expect(ruleOf(below, unitOfMetric)).not.toHaveProperty('definition.condition.limit_min');
    const threshold: RuleDraft = { ...NEW_RULE, threshold: '90', limitMin: '5' };
    expect(ruleOf(threshold, unitOfMetric)).not.toHaveProperty('definition.condition.limit_min');
    const baseline: RuleDraft = { ...NEW_RULE, limit: 'baseline', factor: '5', threshold: 'x', clearAt: 'y' };
    expect(ruleOf(baseline, unitOfMetric)).toMatchObject({ definition: { condition: { kind: 'metric', metric: 'cpu.usage_percent', op: 'above', baseline_factor: 5 } } });
  });
});

it.each<[Partial<RuleDraft>, string, RegExp]>([
  [{ threshold: '' }, 'condition.threshold', /missing/],
  [{ threshold: 'much' }, 'condition.threshold', /much is not a number of %/],
  [{ limit: 'baseline', factor: 'x' }, 'condition.baseline_factor', /x is not a number/],
  [{ limit: 'baseline', factor: '5', limitMin: 'some' }, 'condition.limit_min', /some is not a number of %/],
  [{ clearAt: '80 MiB' }, 'condition.clear_at', /80 MiB/],
  [{ kind: 'group', share: '' }, 'condition.share_percent', /missing/],
  [{ lasting: '5' }, 'for_s', /5 is not a duration/],
  [{ cooldown: 'long' }, 'cooldown_s', /long/],
  [{ escalation: [{ id: 1, after: '5 min', channels: [1] }, { id: 4, after: '?', channels: [] }] }, 'escalation[1].after_s', /\?/],
])('names the field that cannot be read: %j', (changes, field, reason) => {
  const reading = ruleOf({ ...NEW_RULE, threshold: '90', ...changes }, unitOfMetric);
  expect(reading).toMatchObject({ field, reason: expect.stringMatching(reason) });
});

it('finds the field that the gateway means', () => {
  expect(ruleField('definition.condition.clear_at')).toBe('condition.clear_at');
  expect(ruleField('condition.kind')).toBe('condition.metric');
  expect(ruleField(null)).toBeNull();
  expect(besideField('Condition.threshold is NaN, expected a finite number.', 'condition.threshold')).toBe('It is NaN, expected a finite number.');
  expect(besideField('Condition.kind: it is metric, group or offline.', 'condition.kind')).toBe('It is metric, group or offline.');
  expect(besideField('the version is old', null)).toBe('The version is old');
});

it('puts a field of a template where the cursor is', () => {
  expect(withField('CPU of  is high', 'host', 7, 7)).toEqual({ text: 'CPU of {{host}} is high', cursor: 15 });
});

it('tells the steps of an escalation apart however many are removed', () => {
  const two = withStep(withStep(NEW_RULE));
  const again = withStep({ ...two, escalation: two.escalation.slice(1) });
  expect(again.escalation.map(({ id }) => id)).toEqual([1, 2]);
});

it('says a rule in a sentence', () => {
  expect(conditionWords(definition().condition)).toBe('cpu.usage_percent above 90 %');
  expect(conditionWords(parseDefinition(written({ condition: { kind: 'group', metric: 'load.one', op: 'below', baseline_factor: 0.5, share_percent: 20 } })).condition)).toBe('load.one below 0.50 × its usual level on more than 20 % of the hosts');
  const spike = { kind: 'metric', metric: 'network.rx_bytes_per_s', op: 'above', baseline_factor: 5, limit_min: 1_000_000 };
  expect(conditionWords(parseDefinition(written({ condition: spike })).condition)).toBe('network.rx_bytes_per_s above 5 × its usual level and above 977 KiB/s');
  expect(lastingWords(definition())).toBe('for 5 min, then quiet for 30 min');
  expect(lastingWords(definition({ for_s: 0, cooldown_s: 0 }))).toBe('at once');
});

it('tells what a version changed, field by field, with the names of channels', () => {
  const before = definition({ channels: [] });
  const after = definition({ for_s: 60, channels: [1, 7], condition: { ...before.condition, threshold: 95 } });
  expect(changesOf(before, after, new Map([[1, 'Pager']]))).toEqual([
    { field: 'Threshold', before: '90 %', after: '95 %' },
    { field: 'For', before: '5 min', after: '1 min' },
    { field: 'Channels', before: 'the default channels', after: 'Pager, channel 7' },
  ]);
  expect(changesOf(before, before, new Map())).toEqual([]);
  const level = { ...before.condition, threshold: null, baseline_factor: 5 };
  expect(changesOf(definition({ condition: level }), definition({ condition: { ...level, limit_min: 50 } }), new Map())).toEqual([{ field: 'At least', before: 'nothing', after: '50 %' }]);
});
