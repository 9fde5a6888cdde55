// Dead letters page by page. Leaves out what is done to them and how they look.
import { useState } from 'react';
import { LETTERS_PER_PAGE } from '../io/api';
import type { DeadLetter } from '../io/contract-letters';
import { letterQueryOf, type LetterFilter } from '../logic/letters';
import { usePolled } from './hooks';
import { useServices } from './services';

/** New ones appear while somebody looks at the newest. */
const NEWEST_MS = 10_000;

export interface Letters {
  letters: readonly DeadLetter[];
  loading: boolean;
  failure: unknown;
  /** Null where there are no older ones. */
  older: (() => void) | null;
  olderBusy: boolean;
  retry(): void;
  /** They are not there any more. */
  forget(ids: readonly number[]): void;
  /** All that is shown is asked for anew. */
  restart(): void;
}

interface Older {
  key: string;
  letters: readonly DeadLetter[];
  next: string | null;
}

/** The newest page is read again and again; older pages are added below it and stay. */
export function useLetters(filter: LetterFilter): Letters {
  const { api } = useServices();
  const key = `?${letterQueryOf(filter)}`;
  const [older, setOlder] = useState<Older | null>(null);
  const [gone, setGone] = useState<ReadonlySet<number>>(new Set());
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const mine = older?.key === key ? older : null;
  const newest = usePolled({
    key,
    fetch: (signal) => api.letters(filter, LETTERS_PER_PAGE, null, signal),
    // Below a page that moved on there would be a hole.
    nextMs: () => (mine ? null : NEWEST_MS),
  });
  const cursor = mine ? mine.next : (newest.value?.next ?? null);
  const more = async () => {
    setBusy(true);
    try {
      const page = await api.letters(filter, LETTERS_PER_PAGE, cursor);
      setOlder({ key, letters: [...(mine?.letters ?? []), ...page.items], next: page.next });
      setFailure(null);
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  const again = () => {
    setFailure(null);
    newest.retry();
  };
  return {
    letters: [...(newest.value?.items ?? []), ...(mine?.letters ?? [])].filter((letter) => !gone.has(letter.id)),
    loading: newest.loading,
    failure: newest.failure ?? failure,
    older: cursor === null ? null : () => void more(),
    olderBusy: busy,
    retry: again,
    forget: (ids) => setGone((before) => new Set([...before, ...ids])),
    restart: () => {
      setOlder(null);
      again();
    },
  };
}
