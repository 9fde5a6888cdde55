// Silences: all that have not ended, and page by page those that have, which are asked for only while
// they are looked at. Leaves out what is done to them.
import type { Silence } from '../io/contract-channels';
import { silenceCounts, stateOf, type SilenceState } from '../logic/silences';
import { usePolled } from './hooks';
import { useServices } from './services';
import { usePages } from './use-pages';

const SILENCES_MS = 15_000;

export interface Silences {
  /** Null before they are known. */
  items: readonly Silence[] | null;
  counts: Record<SilenceState, number | null>;
  loading: boolean;
  failure: unknown;
  /** Null where there are no more. */
  more: (() => void) | null;
  moreBusy: boolean;
  /** All that is shown is asked for anew. */
  retry(): void;
}

export function useSilences(state: SilenceState, now: number): Silences {
  const { alertApi } = useServices();
  const current = usePolled({ key: 'current', fetch: async (signal) => (await alertApi.silences(signal)).items, nextMs: () => SILENCES_MS });
  const ended = usePages({ key: state === 'ended' ? 'ended' : null, fetch: (cursor, signal) => alertApi.endedSilences(cursor, signal), page: (page) => page, everyMs: SILENCES_MS });
  const counts = silenceCounts(current.value, now);
  if (state === 'ended') {
    const retry = () => (current.retry(), ended.restart());
    return { items: ended.first && ended.items, counts, loading: ended.loading, failure: ended.failure, more: ended.more, moreBusy: ended.moreBusy, retry };
  }
  const items = current.value?.filter((silence) => stateOf(silence, now) === state) ?? null;
  return { items, counts, loading: current.loading, failure: current.failure, more: null, moreBusy: false, retry: current.retry };
}
