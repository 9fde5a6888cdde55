// How much of what all agents ever sent is here, and which hosts lack most: joins the polled answer
// with its views.
import { FleetCompletenessView } from '../views/FleetCompletenessView';
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { useTitle } from './hooks';
import { useServices } from './services';
import { usePages } from './use-pages';

/** A gap is asked for after half a minute. */
const EVERY_MS = 10_000;

export function CompletenessPage() {
  const { api, clock } = useServices();
  const report = usePages({ key: 'fleet', fetch: (cursor, signal) => api.fleetCompleteness(cursor, signal), page: ({ hosts }) => hosts, everyMs: EVERY_MS });
  useTitle('Completeness');
  return (
    <div className="host">
      <h1 className="page-title">Completeness</h1>
      {report.failure !== null && <InlineFailure what="The completeness could not be loaded" failure={report.failure} onRetry={report.retry} />}
      {report.loading && (
        <>
          <LoadingWords>Loading the completeness</LoadingWords>
          <Skeleton className="card skeleton-card" />
          <Skeleton className="card skeleton-chart" />
        </>
      )}
      {report.first && <FleetCompletenessView report={report.first} hosts={report.items} onMore={report.more} moreBusy={report.moreBusy} now={clock.now()} />}
    </div>
  );
}
