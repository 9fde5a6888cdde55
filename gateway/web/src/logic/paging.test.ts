// What is shown of a list whose newest page moves on while older ones are added below it.
import { describe, expect, it } from 'vitest';
import { answered, asked, failed, onlyFirst, shown, toRetry, type Paging } from './paging';

interface Page {
  items: number[];
  next: number | null;
}

type List = Paging<Page, number>;

/** A page of two as the gateway gives it: of numbers that grow, the newest first. */
function pageOf(newest: number, before: number | null): Page {
  const from = before === null ? newest : before - 1;
  return { items: [from, from - 1], next: from - 1 };
}

/** Asks for the page below what is shown, and has the answer at once. */
function withMore(list: List, first: Page): List {
  const request = {};
  const answer = pageOf(first.items[0] ?? 0, list.added ? list.added.last.next : first.next);
  return answered(asked(list, request), request, shown(list, first.items), answer, answer.items);
}

const START: List = onlyFirst('all');

describe('a list', () => {
  it('follows its first page until a page is added', () => {
    expect(shown(START, pageOf(9, null).items)).toEqual([9, 8]);
    expect(shown(START, pageOf(13, null).items)).toEqual([13, 12]);
  });

  it('has no hole where the first page moves on after a page was added', () => {
    const list = withMore(START, pageOf(9, null));
    const moved = pageOf(13, null);
    expect(shown(list, moved.items)).toEqual([9, 8, 7, 6]);
    expect(shown(withMore(list, moved), moved.items)).toEqual([9, 8, 7, 6, 5, 4]);
  });

  it('has no hole where the first page moves on while a page is on its way', () => {
    const [request, first] = [{}, pageOf(9, null)];
    const asking = asked(START, request);
    const moved = pageOf(13, null);
    expect(shown(asking, moved.items)).toEqual([13, 12]);
    const below = pageOf(13, first.next);
    expect(shown(answered(asking, request, first.items, below, below.items), moved.items)).toEqual([9, 8, 7, 6]);
  });

  it('takes no page that was asked for before it began anew', () => {
    const request = {};
    const below = pageOf(9, 8);
    expect(answered(onlyFirst<Page, number>('other'), request, [9, 8], below, below.items)).toEqual(onlyFirst('other'));
    expect(failed(onlyFirst('other'), request, 'no answer')).toEqual(onlyFirst('other'));
  });
});

describe('a page that could not be had', () => {
  const request = {};
  const broken = failed(asked(withMore(START, pageOf(9, null)), request), request, 'no answer');

  it('leaves what is shown, and is told until it is asked for again', () => {
    expect(shown(broken, [])).toEqual([9, 8, 7, 6]);
    expect(broken).toMatchObject({ asking: null, failure: 'no answer' });
    expect(asked(broken, {}).failure).toBeNull();
  });

  it('is what is asked for again', () => {
    expect(toRetry(null, 'no answer')).toEqual({ first: false, further: true });
    expect(toRetry('no answer', null)).toEqual({ first: true, further: false });
    expect(toRetry('no answer', 'no answer')).toEqual({ first: true, further: true });
    expect(toRetry(null, null)).toEqual({ first: true, further: false });
  });
});
