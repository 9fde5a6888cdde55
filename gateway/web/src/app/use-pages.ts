// A long list page by page: the newest page is asked for again and again until older ones are added
// below it. Leaves out what is on the pages.
import { useState } from 'react';
import { answered, asked, failed, onlyFirst, shown, toRetry, type Paging } from '../logic/paging';
import { usePolled } from './hooks';

export interface PagesOptions<P, T> {
  /** Asked again from the start when it changes; null asks nothing. */
  key: string | null;
  fetch(cursor: string | null, signal?: AbortSignal): Promise<P>;
  page(answer: P): { items: readonly T[]; next: string | null };
  everyMs: number;
  /** Whether the first page is asked for again by itself; always, if absent. */
  repeats?(first: P): boolean;
  /** The first page is asked for again whenever it changes. */
  again?: number;
}

export interface Pages<P, T> {
  /** The first page as it is now, for what else its answer says. */
  first: P | null;
  /** The page that was added last, or the first. */
  last: P | null;
  items: readonly T[];
  loading: boolean;
  failure: unknown;
  /** Null where there are no more. */
  more: (() => void) | null;
  moreBusy: boolean;
  /** Asks again for what could not be had. */
  retry(): void;
  /** Older ones were added: what is shown does not follow the newest any more. */
  isFixed: boolean;
  /** All that is shown is asked for anew. */
  restart(): void;
}

export function usePages<P, T>({ key, fetch, page, everyMs, repeats = () => true, again = 0 }: PagesOptions<P, T>): Pages<P, T> {
  const [paging, setPaging] = useState<Paging<P, T>>(() => onlyFirst(key));
  // Who comes back to what was asked before wants what is there now.
  if (paging.key !== key) setPaging(onlyFirst(key));
  const mine: Paging<P, T> = paging.key === key ? paging : onlyFirst(key);
  const first = usePolled({
    key,
    fetch: (signal) => fetch(null, signal),
    nextMs: (newest) => (mine.added || !repeats(newest) ? null : everyMs),
    again,
  });
  const last = mine.added ? mine.added.last : first.value;
  const cursor = last && page(last).next;
  const items = shown(mine, first.value ? page(first.value).items : []);
  // The first page may meanwhile be the only one.
  const furtherFailure = cursor === null ? null : mine.failure;
  const more = async () => {
    const request = {};
    setPaging((now) => asked(now, request));
    try {
      const answer = await fetch(cursor);
      setPaging((now) => answered(now, request, items, answer, page(answer).items));
    } catch (error) {
      setPaging((now) => failed(now, request, error));
    }
  };
  return {
    first: first.value,
    last,
    items,
    loading: first.loading,
    failure: first.failure ?? furtherFailure,
    more: cursor === null ? null : () => void more(),
    moreBusy: mine.asking !== null,
    isFixed: mine.added !== null,
    retry: () => {
      const wanted = toRetry(first.failure, furtherFailure);
      if (wanted.first) first.retry();
      if (wanted.further) void more();
    },
    restart: () => {
      setPaging((now) => onlyFirst(now.key));
      first.retry();
    },
  };
}
