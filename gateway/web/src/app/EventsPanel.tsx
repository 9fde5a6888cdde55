// When a host was there, over a day, a week and a month, and the list of what became of it. The
// chosen kind of events is kept in the address.
import { useSearchParams } from 'wouter';
import { EVENT_KINDS } from '../logic/events';
import { AvailabilityView, type Window } from '../views/AvailabilityView';
import { EventList } from '../views/EventList';
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { usePolled } from './hooks';
import { useServices } from './services';
import { usePages } from './use-pages';

const DAY_MS = 86_400_000;
const WINDOWS = [
  ['24 hours', DAY_MS],
  ['7 days', 7 * DAY_MS],
  ['30 days', 30 * DAY_MS],
] as const;

/** An absence is an event after three heartbeats. */
const EVENTS_MS = 10_000;
const AVAILABILITY_MS = 30_000;

export function EventsPanel({ id, now }: { id: string; now: number }) {
  const { api } = useServices();
  const [query, setQuery] = useSearchParams();
  const kind = EVENT_KINDS.find(([one]) => one === query.get('kind'))?.[0] ?? '';
  const windows = useAvailability(id);
  const events = usePages({ key: `${id} ${kind}`, fetch: (cursor, signal) => api.events(id, kind, cursor, signal), page: (page) => page, everyMs: EVENTS_MS });
  return (
    <>
      {windows.failure !== null && <InlineFailure what="The availability could not be loaded" failure={windows.failure} onRetry={windows.retry} />}
      {windows.loading && <Skeleton className="card skeleton-card" />}
      {windows.value && <AvailabilityView windows={windows.value} />}
      {events.failure !== null && <InlineFailure what="The events could not be loaded" failure={events.failure} onRetry={events.retry} />}
      {events.loading && <LoadingWords>Loading the events</LoadingWords>}
      <EventList
        events={events.items}
        loading={events.loading}
        kind={kind}
        now={now}
        onKind={(next) => setQuery(next === '' ? {} : { kind: next }, { replace: true })}
      />
      {events.more && (
        <button type="button" className="button panel-more" onClick={events.more} disabled={events.moreBusy}>
          Show older events
        </button>
      )}
    </>
  );
}

function useAvailability(id: string) {
  const { api, clock } = useServices();
  return usePolled<Window[]>({
    key: id,
    fetch: (signal) => {
      const to = clock.now();
      const ask = async ([words, ms]: (typeof WINDOWS)[number]) => ({ words, availability: await api.availability(id, { from: to - ms, to }, signal) });
      return Promise.all(WINDOWS.map(ask));
    },
    nextMs: () => AVAILABILITY_MS,
  });
}
