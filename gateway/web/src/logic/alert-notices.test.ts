// What a browser tells of.
import { expect, it } from 'vitest';
import type { Alert } from '../io/contract-alerts';
import { newsOf, noticesOf } from './alert-notices';
import { alert } from './testing-alerts';

/** Which are told of, answer by answer. */
function told(...answers: (readonly Alert[])[]): number[][] {
  let heard: Parameters<typeof newsOf>[0] = null;
  return answers.map((items) => {
    const found = newsOf(heard, { items, isCut: items.length >= CUT });
    heard = found.heard;
    return found.news.map(({ id }) => id);
  });
}

/** As if no more fitted into an answer. */
const CUT = 5;

const critical = (id: number, changes: Partial<Alert> = {}): Alert => alert({ id, title: `alert ${id}`, ...changes });

it('tells of what was opened since, once, and leads to it', () => {
  expect(told([critical(3)], [critical(4), critical(3)], [critical(4), critical(3)])).toEqual([[], [4], []]);
  expect(noticesOf([critical(4)])).toEqual([{ tag: 'muster-alert-4', title: 'alert 4', body: 'A critical alert was opened.', path: '/alerts/4' }]);
  expect(noticesOf([critical(4, { title: '' })])).toMatchObject([{ title: 'A critical alert' }]);
});

it.each([{ is_silenced: true }, { is_late: true }, { status: 'acknowledged' as const }])('keeps quiet about one that is %j', (changes) => {
  expect(told([], [critical(4, changes)])).toEqual([[], []]);
});

it('keeps quiet about one that was over before it could be told', () => {
  expect(told([], [critical(4, { status: 'resolved' })])).toEqual([[], []]);
});

it('tells of one when its silence ends, also if it was silenced when the page was opened', () => {
  expect(told([critical(4, { is_silenced: true })], [critical(4)], [critical(4)])).toEqual([[], [4], []]);
  expect(told([critical(4)], [critical(4, { is_silenced: true })], [critical(4)])).toEqual([[], [], []]);
});

it('does not tell again of one whose acknowledgement was taken back', () => {
  expect(told([critical(4, { status: 'acknowledged' })], [critical(4)])).toEqual([[], []]);
});

it('does not take old ones for news that come up when newer ones end', () => {
  const shown = [9, 8, 7, 6, 5].map((id) => critical(id));
  expect(told(shown, [...shown.slice(1), critical(4)], [critical(10), critical(4), critical(3)])).toEqual([[], [], [10]]);
});

it('tells of a storm once', () => {
  const many = Array.from({ length: 200 }, (_, id) => critical(id));
  expect(noticesOf(many)).toEqual([{ tag: 'muster-alerts-0', title: '200 alerts are critical', body: 'alert 0\nalert 1\nalert 2', path: '/alerts?priority=critical' }]);
});
