// The fleet page: joins the fleet's state with the chosen filter and order, kept in the address so
// that going back from a host, or sharing the link, finds the same list.
import { useMemo } from 'react';
import { useSearchParams } from 'wouter';
import { countHosts } from '../logic/fleet';
import { FIRST_ORDER, NO_FILTER, nextOrder, orderedIds, type Filter, type Order } from '../logic/fleet-order';
import { asSentence } from '../logic/format';
import { COLUMNS } from '../views/fleet-columns';
import { EmptyFleet, FleetFailure, FleetLoading, NothingFound } from '../views/EmptyFleet';
import { FleetHeader } from '../views/FleetHeader';
import { FleetTable } from '../views/FleetTable';
import { useMedia, useNow, useStore, useTitle } from './hooks';
import { useServices } from './services';

/** The width below which the stylesheet turns rows into cards. */
export const COMPACT = '(max-width: 760px)';

function viewFrom(query: URLSearchParams): { filter: Filter; order: Order } {
  const status = query.get('status');
  const key = COLUMNS.find((column) => column.key === query.get('sort'))?.key;
  return {
    filter: { text: query.get('q') ?? '', status: status === 'online' || status === 'offline' ? status : 'all' },
    order: key ? { key, descending: query.get('dir') === 'desc' } : FIRST_ORDER,
  };
}

function queryOf(filter: Filter, order: Order): URLSearchParams {
  const query = new URLSearchParams();
  if (filter.text !== '') query.set('q', filter.text);
  if (filter.status !== 'all') query.set('status', filter.status);
  if (order.key !== FIRST_ORDER.key || order.descending) {
    query.set('sort', order.key);
    query.set('dir', order.descending ? 'desc' : 'asc');
  }
  return query;
}

export function FleetPage() {
  const { fleet: service, alerts: alertService } = useServices();
  const { hosts: alerts } = useStore(alertService.state);
  const { fleet, loaded, failure } = useStore(service.state);
  const [query, setQuery] = useSearchParams();
  const { filter, order } = useMemo(() => viewFrom(query), [query]);
  const now = useNow();
  const compact = useMedia(COMPACT);
  const settled = useStore(service.settled);
  const counts = useMemo(() => countHosts(settled), [settled]);
  useTitle(counts.offline > 0 ? `Fleet (${counts.offline} offline)` : 'Fleet');

  const ids = useMemo(() => orderedIds(settled.hosts.values(), filter, order), [settled, filter, order]);

  const show = (nextFilter: Filter, next: Order) => setQuery(queryOf(nextFilter, next), { replace: true });
  const onSort = (key: Order['key']) => show(filter, nextOrder(order, key));

  if (fleet.hosts.size === 0) {
    if (!loaded) return failure ? <FleetFailure reason={failure} onRetry={service.retry} /> : <FleetLoading />;
    return <EmptyFleet />;
  }
  return (
    <>
      <FleetHeader counts={counts} shown={ids.length} filter={filter} order={order} onFilter={(next) => show(next, order)} onSort={onSort} />
      {failure && (
        <p className="inline-failure" role="alert">
          The list of hosts could not be refreshed: {asSentence(failure)}
        </p>
      )}
      {ids.length === 0 ? (
        <NothingFound onClear={() => show(NO_FILTER, order)} />
      ) : (
        <FleetTable ids={ids} hosts={fleet.hosts} alerts={alerts} order={order} now={now} compact={compact} onSort={onSort} />
      )}
    </>
  );
}
