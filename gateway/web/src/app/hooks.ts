// Small hooks that several pages share: reading a store, the ticking time, a polled request, the
// page's title and a media query. Leaves out anything about hosts.
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Readable } from '../io/store';
import { titleMark } from '../logic/alerts';
import { useServices } from './services';

export function useStore<T>(store: Readable<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}

/** What the person who is signed in may do. */
export function useRole(): string {
  const { session } = useServices();
  const state = useStore(session.state);
  return state.phase === 'signed_in' ? state.account.role : '';
}

/** The gateway's time, once a second. */
export function useNow(): number {
  const { clock } = useServices();
  const [now, setNow] = useState(() => clock.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(clock.now()), 1000);
    return () => clearInterval(timer);
  }, [clock]);
  return now;
}

export interface Polled<T> {
  value: T | null;
  failure: unknown;
  /** A request is under way and there is nothing to show yet for this key. */
  loading: boolean;
  retry(): void;
}

export interface PollOptions<T> {
  /** Asked again from the start when it changes; null asks nothing. */
  key: string | null;
  fetch(signal: AbortSignal): Promise<T>;
  /** The pause before the next request, or null for none. */
  nextMs(value: T): number | null;
  /** Keep showing the last key's value until the new one is there. */
  keepPrevious?: boolean;
  /** Asked again whenever it changes, without forgetting what is shown. */
  again?: number;
}

/** How soon a failed request is tried again. */
const RETRY_MS = 5_000;

interface Answer<T> {
  key: string | null;
  value: T | null;
  failure: unknown;
}

export function usePolled<T>(options: PollOptions<T>): Polled<T> {
  const [answer, setAnswer] = useState<Answer<T>>({ key: null, value: null, failure: null });
  const [tries, setTries] = useState(0);
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const { key, again = 0 } = options;
  const wake = useRef<() => void>(() => undefined);

  useEffect(() => {
    if (key === null) return;
    const stopped = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    // A request that is under way is not cut off by what happens meanwhile: in a storm none would end.
    let [asking, isStale] = [false, false];
    const ask = async (): Promise<void> => {
      [asking, isStale] = [true, false];
      let delay: number | null = RETRY_MS;
      try {
        const value = await latest.current.fetch(stopped.signal);
        if (stopped.signal.aborted) return;
        setAnswer({ key, value, failure: null });
        delay = latest.current.nextMs(value);
      } catch (failure) {
        if (stopped.signal.aborted) return;
        // An outage must not wipe what is on the screen.
        setAnswer((before) => ({ key, value: before.key === key ? before.value : null, failure }));
      }
      asking = false;
      if (isStale) delay = 0;
      if (delay !== null) timer = setTimeout(() => void ask(), delay);
    };
    void ask();
    wake.current = () => {
      isStale = asking;
      clearTimeout(timer);
      if (!asking) void ask();
    };
    return () => {
      stopped.abort();
      clearTimeout(timer);
      wake.current = () => undefined;
    };
  }, [key, tries]);
  useChange(again, () => wake.current());

  const current = answer.key === key;
  const shown = current || options.keepPrevious;
  return {
    value: shown ? answer.value : null,
    failure: current ? answer.failure : null,
    loading: key !== null && !current,
    retry: () => setTries((count) => count + 1),
  };
}

/** Calls when a number is another than before; not at first. */
function useChange(number: number, call: () => void): void {
  const known = useRef(number);
  useEffect(() => {
    if (known.current === number) return;
    known.current = number;
    call();
  });
}

/** Before it stands how many alerts are open. */
export function useTitle(title: string): void {
  const { alerts } = useServices();
  const mark = titleMark(useStore(alerts.state).counts);
  useEffect(() => {
    document.title = `${mark}${title} · Muster`;
  }, [mark, title]);
}

export function useMedia(query: string): boolean {
  const subscribe = (listener: () => void): (() => void) => {
    const media = window.matchMedia(query);
    media.addEventListener('change', listener);
    return () => media.removeEventListener('change', listener);
  };
  return useSyncExternalStore(subscribe, () => window.matchMedia(query).matches);
}
