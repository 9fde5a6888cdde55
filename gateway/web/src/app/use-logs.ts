// Log lines of a host or of all: stored ones page by page, and the live tail of one host. Leaves out
// how they look.
import { useEffect, useRef, useState } from 'react';
import { parseLiveLines, type LineCounts, type StoredLine } from '../io/contract-agent';
import { listening, logQueryOf, paused, TAIL_START, withDropped, withLines, withTrouble, type LogFilter, type Tail } from '../logic/logs';
import { whenSpan } from '../logic/log-time';
import { usePolled } from './hooks';
import { useServices } from './services';

/** New lines appear while somebody looks at the newest ones. */
const NEWEST_MS = 10_000;
/** A bar stands for a quarter of an hour. */
const COUNTS_MS = 60_000;
/** After a refusal the agent is asked again, because it may just be starting. */
const ASK_AGAIN_MS = 5_000;

export interface StoredLines {
  lines: readonly StoredLine[];
  loading: boolean;
  failure: unknown;
  /** Where the search was cut off because it took too long; null where it was not. */
  searchedUntil: number | null;
  /** Null where there are no older ones. */
  older: (() => void) | null;
  olderBusy: boolean;
  retry(): void;
}

interface Older {
  key: string;
  lines: readonly StoredLine[];
  next: string | null;
  searchedUntil: number | null;
}

/** The newest page is read again and again; older pages are added below it and stay. */
export function useStoredLines(host: string | null, filter: LogFilter, on: boolean): StoredLines {
  const { api, clock } = useServices();
  const key = `${host ?? ''}?${logQueryOf(filter)}`;
  const wanted = (cursor: string | null) => ({ host, ...filter, span: whenSpan(filter.when, clock.now()), cursor });
  const [older, setOlder] = useState<Older | null>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const mine = older?.key === key ? older : null;
  const newest = usePolled({
    key: on ? key : null,
    fetch: (signal) => api.lines(wanted(null), signal),
    // Below a page that moved on there would be a hole; and a search that takes long is not
    // repeated by itself.
    nextMs: (page) => (mine || page.searched_until !== null ? null : NEWEST_MS),
  });
  const cursor = mine ? mine.next : (newest.value?.next ?? null);
  const more = async () => {
    setBusy(true);
    try {
      const page = await api.lines(wanted(cursor));
      setOlder({ key, lines: [...(mine?.lines ?? []), ...page.items], next: page.next, searchedUntil: page.searched_until });
      setFailure(null);
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  return {
    lines: [...(newest.value?.items ?? []), ...(mine?.lines ?? [])],
    searchedUntil: mine ? mine.searchedUntil : (newest.value?.searched_until ?? null),
    loading: newest.loading,
    failure: newest.failure ?? failure,
    older: cursor === null ? null : () => void more(),
    olderBusy: busy,
    retry: () => {
      setFailure(null);
      newest.retry();
    },
  };
}

/** How many lines there were in the time that was chosen, or a day; nothing where they could not be counted. */
export function useLineCounts(host: string | null, filter: LogFilter, on: boolean): LineCounts | null {
  const { api, clock } = useServices();
  const key = `${host ?? ''}?${logQueryOf(filter)}`;
  const counted = usePolled({
    key: on ? key : null,
    fetch: (signal) => api.lineCounts({ host, ...filter, span: whenSpan(filter.when, clock.now()), cursor: null }, signal),
    nextMs: (counts) => (counts.searched_until === null ? COUNTS_MS : null),
    keepPrevious: true,
  });
  return counted.value;
}

export interface LiveTail {
  tail: Tail;
  pause(on: boolean): void;
}

export function useTail(host: string | null, on: boolean): LiveTail {
  const { feed } = useServices();
  const [tail, setTail] = useState<Tail>(TAIL_START);
  const askAgain = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  useEffect(() => {
    if (!on || host === null) return;
    const topic = `host/${host}/logs`;
    const leave = feed.subscribe(topic, {
      onData: (data) => {
        const { lines } = parseLiveLines(data);
        setTail((before) => withLines(before, lines));
      },
      onSubscribed: () => setTail(listening),
      onDropped: (count) => setTail((before) => withDropped(before, count)),
      onError: (reason) => {
        setTail((before) => withTrouble(before, reason));
        clearTimeout(askAgain.current);
        askAgain.current = setTimeout(() => feed.resubscribe(topic), ASK_AGAIN_MS);
      },
    });
    return () => {
      leave();
      clearTimeout(askAgain.current);
      setTail(TAIL_START);
    };
  }, [feed, host, on]);

  return { tail, pause: (held) => setTail((before) => paused(before, held)) };
}
