// Silences: which hold, when, and a form of one; and the selectors by which they are meant.
import { expect, it } from 'vitest';
import { NEW_SILENCE, recurrenceWords, scopeWords, silenceCounts, silenceOf, silenceOfTicket, stateOf, weekdaysWords, whenWordsOf } from './silences';
import { readSelector, selectedNow } from './selector';
import { host } from './testing';
import { silence } from './testing-alerts';

const weekly = { weekdays: ['sat', 'sun'] as ('sat' | 'sun')[], time: '02:00', duration_s: 7_200, zone: 'Europe/Berlin' };

it('tells silences in force from those to come and over', () => {
  expect(stateOf(silence(), 5_000)).toBe('active');
  expect(stateOf(silence({ starts_at: 6_000, is_active: false }), 5_000)).toBe('coming');
  expect(stateOf(silence({ recurrence: weekly, ends_at: null, is_active: false }), 5_000)).toBe('coming');
  expect(stateOf(silence(), 9_000)).toBe('ended');
  expect(stateOf(silence({ ended_at: 4_000 }), 5_000)).toBe('ended');
});

it('counts what has not ended, and nothing before it is known', () => {
  const current = [silence(), silence({ id: 2 }), silence({ id: 3, starts_at: 6_000, is_active: false })];
  expect(silenceCounts(current, 5_000)).toEqual({ active: 2, coming: 1, ended: null });
  expect(silenceCounts(null, 5_000)).toEqual({ active: null, coming: null, ended: null });
});

it('says when it holds', () => {
  expect(recurrenceWords(weekly)).toBe('Sat, Sun at 02:00 for 2 h, Europe/Berlin');
  expect(weekdaysWords(['fri', 'thu', 'wed', 'tue', 'mon'])).toBe('Mon to Fri');
  expect(weekdaysWords(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])).toBe('every day');
  expect(whenWordsOf(silence({ ends_at: 3_605_000 }), 5_000)).toMatch(/^until .*, for 1 h more$/);
  expect(whenWordsOf(silence({ ended_at: 4_000, ended_by: 'ada' }), 5_000)).toMatch(/^ended by ada on /);
  expect(whenWordsOf(silence({ recurrence: weekly, ends_at: null }), 5_000)).toBe(recurrenceWords(weekly));
});

it('makes a silence that is once of a duration, or of an end', () => {
  const form = { ...NEW_SILENCE, reason: ' release ', lasting: '90 min', rule: '7' };
  expect(silenceOf(form, 1_000)).toEqual({ draft: { selector: '', rule_id: 7, reason: 'release', starts_at: 1_000, ends_at: 5_401_000, recurrence: null } });
  const until = silenceOf({ ...form, until: '2026-11-22T10:00' }, 1_000);
  expect(until).toMatchObject({ draft: { ends_at: Date.parse('2026-11-22T10:00') } });
});

it('makes one that recurs for good, with its days in order', () => {
  const form = { ...NEW_SILENCE, reason: 'dumps', kind: 'recurring' as const, weekdays: ['sun', 'mon'] as const, zone: ' Europe/Berlin ' };
  expect(silenceOf(form, 1_000)).toMatchObject({ draft: { ends_at: null, recurrence: { weekdays: ['mon', 'sun'], time: '02:00', duration_s: 7_200, zone: 'Europe/Berlin' } } });
});

it.each([
  [{ reason: ' ' }, 'reason'],
  [{ lasting: 'some time' }, 'ends_at'],
  [{ lasting: '0' }, 'ends_at'],
  [{ from: 'soon' }, 'starts_at'],
  [{ kind: 'recurring' as const, weekdays: [] }, 'recurrence.weekdays'],
  [{ kind: 'recurring' as const, window: '' }, 'recurrence.duration_s'],
])('names what cannot be read of %j', (changes, field) => {
  expect(silenceOf({ ...NEW_SILENCE, reason: 'r', ...changes }, 1_000)).toMatchObject({ field });
});

it('covers the rule of a ticket on its host, or wherever a group is', () => {
  expect(silenceOfTicket({ host_id: 'web-1', rule_id: 7 })).toEqual({ selector: 'id=web-1', rule: '7' });
  expect(silenceOfTicket({ host_id: null, rule_id: 7 })).toEqual({ selector: '', rule: '7' });
  expect(scopeWords(silence({ rule_id: 7 }), (id) => `rule ${id}`)).toBe('rule 7 on role=web');
  expect(scopeWords(silence({ selector: '' }), String)).toBe('every rule on all hosts');
});

const hosts = [host('web-1', { labels: { role: 'web', env: 'prod' } }), host('web-2', { labels: { role: 'web', canary: 'yes' } }), host('db-1', { labels: { role: 'db', env: 'test' } })];

it.each([
  ['', ['web-1', 'web-2', 'db-1']],
  ['role=web', ['web-1', 'web-2']],
  ['role=web|db, env!=test', ['web-1', 'web-2']],
  ['env', ['web-1', 'db-1']],
  ['!canary, role=web', ['web-1']],
  ['id=web-*', ['web-1', 'web-2']],
  ['id=db-1|web-2', ['web-2', 'db-1']],
  ['id!=web-*', ['db-1']],
])('selects by %j the hosts %j', (text, ids) => {
  expect(hosts.filter(readSelector(text) ?? (() => false)).map(({ id }) => id)).toEqual(ids);
});

it.each(['role=', 'role=,x', '=web', '!role=web', 'a b=c', ','])('does not read %j', (text) => {
  expect(readSelector(text)).toBeNull();
});

it('says how many hosts are meant', () => {
  expect(selectedNow('role=web', hosts)).toEqual({ words: 'Selects 2 of 3 hosts now.', isNobody: false });
  expect(selectedNow('', hosts).words).toBe('Selects all 3 hosts now.');
  expect(selectedNow('role=wbe', hosts)).toEqual({ words: 'Selects 0 of 3 hosts now.', isNobody: true });
  expect(selectedNow('role=', hosts)).toEqual({ words: 'This cannot be read yet.', isNobody: false });
  expect(selectedNow('', [])).toEqual({ words: 'Selects 0 of 0 hosts now.', isNobody: false });
});
