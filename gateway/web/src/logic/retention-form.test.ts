import { describe, expect, it } from 'vitest';
import type { Plan, Retention, TablePlan } from '../io/contract-storage';
import { draftOf, formField, idleLabels, kept, labelLosses, lossByGroup, lossByTable, lossWords, planSentence, rulesOf, withRule } from './retention-form';

const DAY = 86_400_000;

const stored: Retention = {
  version: 2,
  updated_at: 1,
  updated_by: 'ada',
  groups: [
    { group: 'raw', keep_days: 7, default_days: 14, tables: ['host_samples'] },
    { group: 'logs', keep_days: 30, default_days: 30, tables: ['log_lines'] },
  ],
  rules: [
    { scope: 'raw', label: null, keep_days: 7 },
    { scope: 'host_samples', label: null, keep_days: 9 },
    { scope: 'logs', label: 'env=dev', keep_days: 3 },
  ],
};

function table(changes: Partial<TablePlan> = {}): TablePlan {
  return { table: 'host_samples', group: 'raw', keep_days: 7, before: 20 * DAY, oldest: 11 * DAY, days: 9, rows: 120_000, exact: false, bytes: 3 * 1024 ** 3, labels: [], ...changes };
}

/** Of which rows go by a label alone. */
function byLabel(rows: number, name = 'host_samples'): TablePlan {
  const label = { label: 'env=dev', keep_days: 3, before: 24 * DAY, hosts: 12, days: 4, rows };
  return table({ table: name, oldest: 20 * DAY, days: 0, rows, bytes: 0, labels: [label] });
}

function planOf(...tables: TablePlan[]): Plan {
  const sum = (of: (table: TablePlan) => number) => tables.reduce((total, one) => total + of(one), 0);
  return { tables, days: sum((one) => one.days), rows: sum((one) => one.rows), bytes: sum((one) => one.bytes) };
}

describe('the form', () => {
  it('gives back the rules it was made of', () => {
    const draft = draftOf(stored);
    expect(draft.groups).toEqual({ raw: '7', logs: '' });
    expect(rulesOf(draft)).toMatchObject({ rules: stored.rules });
  });

  it('leaves a group to its default where its field is empty', () => {
    const draft = { ...draftOf(stored), groups: { raw: ' ', logs: '' }, rules: [] };
    expect(rulesOf(draft)).toEqual({ rules: [], fields: [] });
  });

  it.each(['', 'seven', '7.5', '-1'])('says which field cannot be read: %j', (text) => {
    const draft = withRule(draftOf(stored), 'raw');
    const rules = draft.rules.map((rule) => (rule.id === 2 ? { ...rule, days: text } : rule));
    expect(rulesOf({ ...draft, rules })).toMatchObject({ field: 'rule/2/keep_days' });
  });

  it('finds the field that the gateway means', () => {
    const fields = ['raw', 'rule/0', 'rule/4'];
    expect(formField('rules[2].label', fields)).toBe('rule/4/label');
    expect(formField('rules[0].keep_days', fields)).toBe('raw');
    expect(formField('rules', fields)).toBeNull();
    expect(formField(null, fields)).toBeNull();
  });
});

describe('a dry run in words', () => {
  it('sums up what a group loses', () => {
    const [loss] = lossByGroup(planOf(table(), table({ table: 'disk_samples', days: 8, rows: 0, bytes: 0 })));
    expect(loss && lossWords(loss)).toBe('9 days of samples of all hosts (12 Jan – 20 Jan), about 120k rows, 3 GiB');
  });

  it('tells of hosts with a label', () => {
    // What the gateway sends: the rows of labels are among the table's.
    const plan = planOf(byLabel(1_500), byLabel(500, 'disk_samples'));
    expect(labelLosses(plan)).toEqual(['4 days of samples of 12 hosts with env=dev, all that is older than 25 Jan, up to 2,000 rows']);
    expect(lossByGroup(plan)).toEqual([]);
    expect(planSentence(plan)).toContain('removes up to 2,000 rows, for good');
    expect(lossByTable(plan)[0]).toEqual({ table: 'host_samples', label: 'env=dev', keep_days: 3, days: 0, before: 24 * DAY, rows: 1_500, bytes: null });
  });

  it('does not tell of rows of a label as if they were of all hosts', () => {
    const plan = planOf({ ...byLabel(1_500), oldest: 11 * DAY, days: 9, rows: 121_500, bytes: 3 * 1024 ** 3 });
    const [loss] = lossByGroup(plan);
    expect(loss && lossWords(loss)).toBe('9 days of samples of all hosts (12 Jan – 20 Jan), about 120k rows, 3 GiB');
    expect(lossByTable(plan).map(({ label, before, rows }) => [label, before / DAY, rows])).toEqual([
      [null, 20, 120_000],
      ['env=dev', 24, 1_500],
    ]);
    expect(planSentence(plan)).toContain('up to 122k rows, 3 GiB');
  });

  it('tells of a label whose rows the database has not estimated yet', () => {
    expect(labelLosses(planOf(byLabel(0)))).toEqual(['4 days of samples of 12 hosts with env=dev, all that is older than 25 Jan']);
    expect(planSentence(planOf(byLabel(0)))).toContain('rows of some hosts');
  });

  it('tells of two rules for one label apart', () => {
    const [first, second] = [byLabel(70), byLabel(0)].map(({ labels }) => labels);
    const longer = (second ?? []).map((label) => ({ ...label, keep_days: 5, before: 22 * DAY, days: 2 }));
    expect(labelLosses(planOf({ ...byLabel(70), labels: [...(first ?? []), ...longer] }))).toHaveLength(2);
  });

  it('names labels that no host has', () => {
    const label = { label: 'env=dve', keep_days: 3, before: 1, hosts: 0, days: 4, rows: 0 };
    expect(idleLabels(planOf(table({ labels: [label] }), table({ labels: [label] })))).toEqual(['env=dve']);
  });

  it('says so where nothing goes', () => {
    expect(planSentence(planOf(table({ days: 0, rows: 0, bytes: 0 })))).toContain('removes nothing');
    expect(planSentence(planOf(table()))).toContain('about 120k rows, 3 GiB');
  });
});

it('prints whole years as years', () => {
  expect([kept(1), kept(365), kept(1095), kept(14)]).toEqual(['1 day', '365 days', '3 years', '14 days']);
});
