// The inbox: joins the tickets and their filter, kept in the address, with acknowledging many at once
// and the switch for notifications of the browser.
import { useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import type { Alert, AlertPage } from '../io/contract-alerts';
import { noticeState, switchNotices } from '../io/notices';
import { acknowledgeable, acknowledgedWords, alertFilterFrom, alertQueryOf, isNarrowed, labelsOf, NO_ALERT_FILTER, type AlertFilter } from '../logic/alerts';
import { failureSentence } from '../logic/format';
import { mayHandle } from '../logic/host-tabs';
import { AlertFilterBar } from '../views/AlertFilterBar';
import { AlertList } from '../views/AlertList';
import { AlertTabs, OutcomeWords, type OutcomeLine } from '../views/AlertParts';
import { AlertsHead, BulkBar, NoAlerts } from '../views/AlertsHead';
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { useNow, useRole, useStore, useTitle } from './hooks';
import { useServices } from './services';
import { useAlertCounts, useAlerts, useRules } from './use-alerts';
import type { Pages } from './use-pages';

/** As many as the gateway acknowledges at once. */
const BULK_MAX = 500;

export function AlertsPage() {
  useTitle('Alerts');
  const [query, setQuery] = useSearchParams();
  const filter = useMemo(() => alertFilterFrom(query), [query]);
  const pages = useAlerts(filter);
  const rules = useRules();
  const counts = useAlertCounts();
  const { hosts } = useStore(useServices().fleet.settled);
  const labels = useMemo(() => labelsOf([...hosts.values()]), [hosts]);
  const notices = useStore(noticeState);
  const names = useMemo(() => (rules.value ?? []).map(({ id, definition }) => [String(id), definition.name] as const).toSorted(([, a], [, b]) => a.localeCompare(b)), [rules.value]);
  const show = (next: AlertFilter) => setQuery(alertQueryOf(next), { replace: true });
  return (
    <div className="host">
      <AlertsHead notices={notices} onNotices={(on) => void switchNotices(on)} />
      <AlertTabs current="/alerts" />
      <AlertFilterBar filter={filter} counts={counts ?? pages.first?.counts ?? null} rules={names} labels={labels} onFilter={show} />
      <Found pages={pages} filter={filter} onFilter={show} />
    </div>
  );
}

interface FoundProps {
  pages: Pages<AlertPage, Alert>;
  filter: AlertFilter;
  onFilter(filter: AlertFilter): void;
}

function Found({ pages, filter, onFilter }: FoundProps) {
  const { items, loading, failure, more, moreBusy, retry } = pages;
  const now = useNow();
  const bulk = useBulk(pages);
  const mayAct = mayHandle(useRole());
  if (loading) {
    return (
      <>
        <LoadingWords>Loading the alerts</LoadingWords>
        <Skeleton className="card skeleton-chart" />
      </>
    );
  }
  return (
    <>
      {failure !== null && <InlineFailure what="The alerts could not be loaded" failure={failure} onRetry={retry} />}
      {mayAct && <BulkBar chosen={bulk.chosen.size} open={bulk.open.length} busy={bulk.busy} onAll={bulk.all} onNone={bulk.none} onAcknowledge={bulk.acknowledge} />}
      <OutcomeWords outcome={bulk.outcome} />
      {pages.isFixed && <Fixed onNewest={pages.restart} />}
      {items.length === 0 && failure === null && <NoAlerts narrowed={isNarrowed(filter)} active={filter.status === 'active'} onClear={() => onFilter(NO_ALERT_FILTER)} />}
      {items.length > 0 && <AlertList alerts={items} now={now} chosen={bulk.chosen} onChoose={mayAct ? bulk.choose : null} onHost={(host) => onFilter({ ...filter, host })} />}
      {more && (
        <button type="button" className="button panel-more" onClick={more} disabled={moreBusy}>
          Show older
        </button>
      )}
    </>
  );
}

/** Below the newest page others were added: what happens now is only counted above. */
function Fixed({ onNewest }: { onNewest(): void }) {
  return (
    <p className="inline-warning" role="status">
      The list stays as it was while you look at older alerts.
      <button type="button" className="button" onClick={onNewest}>
        Show the newest
      </button>
    </p>
  );
}

interface Bulk {
  /** Of what is shown and still open. */
  chosen: ReadonlySet<number>;
  open: readonly number[];
  busy: boolean;
  outcome: OutcomeLine | null;
  choose(id: number, on: boolean): void;
  all(): void;
  none(): void;
  acknowledge(): void;
}

const NONE: ReadonlySet<number> = new Set();

function useBulk(pages: Pages<AlertPage, Alert>): Bulk {
  const { alertApi, alerts } = useServices();
  const [wanted, setWanted] = useState<ReadonlySet<number>>(NONE);
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<OutcomeLine | null>(null);
  const { items } = pages;
  const open = useMemo(() => items.filter(({ status }) => status === 'open').map(({ id }) => id), [items]);
  const chosen = useMemo(() => new Set(acknowledgeable(items, wanted)), [items, wanted]);
  const acknowledge = async () => {
    const ids = [...chosen].slice(0, BULK_MAX);
    setBusy(true);
    try {
      const became = await alertApi.acknowledgeAll(ids);
      setWanted(NONE);
      setOutcome({ good: became.refused.length === 0, words: acknowledgedWords(became) });
      pages.restart();
      alerts.touch();
    } catch (error) {
      setOutcome({ good: false, words: `They could not be acknowledged: ${failureSentence(error)}` });
    } finally {
      setBusy(false);
    }
  };
  const [choose] = useState(() => (id: number, on: boolean) => {
    setOutcome(null);
    setWanted((before) => new Set(on ? [...before, id] : [...before].filter((one) => one !== id)));
  });
  return { chosen, open, busy, outcome, choose, all: () => setWanted(new Set(open)), none: () => setWanted(NONE), acknowledge: () => void acknowledge() };
}
