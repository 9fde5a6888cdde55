// What the alerts of a week or a month came to, by rule or by host. What is looked at is kept in the
// address.
import { useMemo } from 'react';
import { useSearchParams } from 'wouter';
import { neighbours, periodWords, summaryQueryOf, summaryViewFrom, type SummaryView } from '../logic/alert-summary';
import { AlertTabs } from '../views/AlertParts';
import { CheckIcon } from '../views/icons';
import { InlineFailure, LoadingWords, Notice, Skeleton } from '../views/parts';
import { SummaryBar, SummaryFigures, SummaryTable } from '../views/SummaryViews';
import { usePolled, useTitle } from './hooks';
import { useServices } from './services';

const SUMMARY_MS = 60_000;

export function AlertSummaryPage() {
  useTitle('Summary of alerts');
  const { alertApi, clock } = useServices();
  const [query, setQuery] = useSearchParams();
  const view = useMemo(() => summaryViewFrom(query), [query]);
  const { period, by, at } = view;
  const found = usePolled({ key: `${period} ${by} ${at}`, fetch: (signal) => alertApi.alertSummary(period, by, at ?? Math.round(clock.now()), signal), nextMs: () => (at === null ? SUMMARY_MS : null), keepPrevious: true });
  const summary = found.value;
  const show = (next: SummaryView) => setQuery(summaryQueryOf(next), { replace: true });
  return (
    <div className="host">
      <h1 className="page-title">Summary</h1>
      <AlertTabs current="/alerts/summary" />
      <SummaryBar view={view} words={summary ? periodWords(summary) : ''} neighbours={summary ? neighbours(summary, clock.now()) : null} onView={show} />
      {found.failure !== null && <InlineFailure what="The summary could not be loaded" failure={found.failure} onRetry={found.retry} />}
      {!summary && found.loading && (
        <>
          <LoadingWords>Loading the summary</LoadingWords>
          <Skeleton className="card skeleton-chart" />
        </>
      )}
      {summary && summary.items.length > 0 && <SummaryFigures total={summary.total} />}
      {summary && summary.items.length > 0 && <SummaryTable summary={summary} by={by} busy={found.loading} />}
      {summary && summary.items.length === 0 && (
        <Notice icon={<CheckIcon />} title="No alert was opened">
          <p>Nothing fired from {periodWords(summary)}.</p>
        </Notice>
      )}
    </div>
  );
}
