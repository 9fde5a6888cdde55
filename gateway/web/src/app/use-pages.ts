// A long list page by page: the newest page is asked for again and again, older ones are added below
// it and stay. Leaves out what is on the pages.
import { useState } from 'react';
import { usePolled } from './hooks';

export interface PagesOptions<P, T> {
  /** Asked again from the start when it changes; null asks nothing. */
  key: string | null;
  fetch(cursor: string | null, signal?: AbortSignal): Promise<P>;
  page(answer: P): { items: readonly T[]; next: string | null };
  everyMs: number;
}

export interface Pages<P, T> {
  /** The first page, with what else its answer says. */
  first: P | null;
  items: readonly T[];
  loading: boolean;
  failure: unknown;
  /** Null where there are no more. */
  more: (() => void) | null;
  moreBusy: boolean;
  retry(): void;
}

interface Added<T> {
  key: string | null;
  items: readonly T[];
  next: string | null;
}

export function usePages<P, T>({ key, fetch, page, everyMs }: PagesOptions<P, T>): Pages<P, T> {
  const [added, setAdded] = useState<Added<T> | null>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const mine = added?.key === key ? added : null;
  const first = usePolled({
    key,
    fetch: (signal) => fetch(null, signal),
    // Above a first page that moved on there would be a hole in the list.
    nextMs: () => (mine ? null : everyMs),
  });
  const top = first.value && page(first.value);
  const cursor = mine ? mine.next : (top?.next ?? null);
  const more = async () => {
    setBusy(true);
    try {
      const { items, next } = page(await fetch(cursor));
      setAdded({ key, items: [...(mine?.items ?? []), ...items], next });
      setFailure(null);
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  return {
    first: first.value,
    items: [...(top?.items ?? []), ...(mine?.items ?? [])],
    loading: first.loading,
    failure: first.failure ?? failure,
    more: cursor === null ? null : () => void more(),
    moreBusy: busy,
    retry: () => {
      setFailure(null);
      first.retry();
    },
  };
}
