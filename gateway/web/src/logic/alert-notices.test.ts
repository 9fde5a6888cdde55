// Which news a browser tells of.
import { expect, it } from 'vitest';
import type { AlertNews } from '../io/contract-alerts';
import { noticesOf } from './alert-notices';
import { alert } from './testing-alerts';

const news = (id: number | null, changes: Partial<AlertNews> = {}): AlertNews => ({ id, title: `alert ${id}`, priority: 'critical', status: 'open', ...changes });

it('tells of a new critical alert and leads to it', () => {
  expect(noticesOf([news(4)], [alert({ id: 4 })])).toEqual([{ tag: 'muster-alert-4', title: 'alert 4', body: 'A critical alert was opened.', path: '/alerts/4' }]);
});

it('tells of one that is not among what is known, because there are so many', () => {
  expect(noticesOf([news(4), news(null, { title: '' })], [])).toMatchObject([{ path: '/alerts/4' }, { title: 'A critical alert', path: '/alerts' }]);
});

it.each([{ is_silenced: true }, { is_late: true }, { status: 'acknowledged' as const }])('keeps quiet about one that is %j', (changes) => {
  expect(noticesOf([news(4)], [alert({ id: 4, ...changes })])).toEqual([]);
});

it('keeps quiet about what is not critical', () => {
  expect(noticesOf([news(4, { priority: 'high' }), news(5, { priority: null })], [])).toEqual([]);
});

it('tells of a storm once', () => {
  const many = Array.from({ length: 200 }, (_, id) => news(id));
  expect(noticesOf(many, [])).toEqual([{ tag: 'muster-alerts-0', title: '200 alerts are critical', body: 'alert 0\nalert 1\nalert 2', path: '/alerts?priority=critical' }]);
});
