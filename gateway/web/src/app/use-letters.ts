// Dead letters page by page. Leaves out what is done to them and how they look.
import { useState } from 'react';
import { LETTERS_PER_PAGE } from '../io/api';
import type { DeadLetter } from '../io/contract-letters';
import { letterQueryOf, type LetterFilter } from '../logic/letters';
import { useServices } from './services';
import { usePages } from './use-pages';

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

export function useLetters(filter: LetterFilter): Letters {
  const { api } = useServices();
  const [gone, setGone] = useState<ReadonlySet<number>>(new Set());
  const pages = usePages({
    key: `?${letterQueryOf(filter)}`,
    fetch: (cursor, signal) => api.letters(filter, LETTERS_PER_PAGE, cursor, signal),
    page: (page) => page,
    everyMs: NEWEST_MS,
  });
  return {
    letters: pages.items.filter((letter) => !gone.has(letter.id)),
    loading: pages.loading,
    failure: pages.failure,
    older: pages.more,
    olderBusy: pages.moreBusy,
    retry: pages.retry,
    forget: (ids) => setGone((before) => new Set([...before, ...ids])),
    restart: pages.restart,
  };
}
