// Log lines of a host or of all: stored ones page by page, and the live tail of one host. Leaves out
// how they look.
import { useEffect, useRef, useState } from 'react';
import { parseLiveLines, type LineCounts, type StoredLine } from '../io/contract-agent';
import { listening, logQueryOf, paused, TAIL_START, withDropped, withLines, withTrouble, type LogFilter, type Tail } from '../logic/logs';
import { whenSpan } from '../logic/log-time';
import { usePolled } from './hooks';
import { useServices } from './services';
import { usePages } from './use-pages';

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

/** Of all hosts where there is no `host`; nothing is asked unless `on`. */
export function useStoredLines(host: string | null, filter: LogFilter, on: boolean): StoredLines {
  const { api, clock } = useServices();
  const pages = usePages({
    key: on ? `${host ?? ''}?${logQueryOf(filter)}` : null,
    fetch: (cursor, signal) => api.lines({ host, ...filter, span: whenSpan(filter.when, clock.now()), cursor }, signal),
    page: (page) => page,
    everyMs: NEWEST_MS,
    // A search that takes long is not repeated by itself.
    repeats: (page) => page.searched_until === null,
  });
  return {
    lines: pages.items,
    searchedUntil: pages.last?.searched_until ?? null,
    loading: pages.loading,
    failure: pages.failure,
    older: pages.more,
    olderBusy: pages.moreBusy,
    retry: pages.retry,
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
