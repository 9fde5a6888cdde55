// How large what is stored is, whose it is, and how long it is kept: joins the polled sizes and the
// retention with their views.
import { useState } from 'react';
import type { Retention } from '../io/contract-storage';
import { mayGovern } from '../logic/host-tabs';
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { RetentionRules } from '../views/RetentionRules';
import { StorageFigures, StorageGroups } from '../views/StorageView';
import { StorageHosts } from '../views/StorageHosts';
import { StorageTables } from '../views/StorageTables';
import { usePolled, useRole, useTitle } from './hooks';
import { RetentionPanel } from './RetentionPanel';
import { useServices } from './services';
import { usePages } from './use-pages';

/** Sizes are read from the catalogue; nothing grows much in half a minute. */
const SIZES_MS = 30_000;
const HOSTS_MS = 60_000;

export function StoragePage() {
  const { api } = useServices();
  const role = useRole();
  const storage = usePolled({ key: 'all', fetch: (signal) => api.storage(signal), nextMs: () => SIZES_MS });
  const retention = usePolled({ key: 'all', fetch: (signal) => api.retention(signal), nextMs: () => null });
  const [saved, setSaved] = useState<Retention | null>(null);
  const kept = saved ?? retention.value;
  useTitle('Storage');
  return (
    <div className="host">
      <h1 className="page-title">Storage</h1>
      {storage.failure !== null && <InlineFailure what="The sizes could not be loaded" failure={storage.failure} onRetry={storage.retry} />}
      {storage.loading && <StorageLoading />}
      {storage.value && <StorageFigures storage={storage.value} />}
      {storage.value && <StorageGroups storage={storage.value} kept={kept?.groups ?? []} />}
      {retention.failure !== null && <InlineFailure what="The retention could not be loaded" failure={retention.failure} onRetry={retention.retry} />}
      {retention.value && (mayGovern(role) ? <RetentionPanel stored={retention.value} onSaved={setSaved} /> : <RetentionRules retention={retention.value} />)}
      <Hosts />
      {storage.value && <StorageTables tables={storage.value.tables} />}
    </div>
  );
}

function Hosts() {
  const { api } = useServices();
  const hosts = usePages({ key: 'hosts', fetch: (cursor, signal) => api.storageOfHosts(cursor, signal), page: (page) => page, everyMs: HOSTS_MS });
  return (
    <>
      {hosts.failure !== null && <InlineFailure what="The sizes of hosts could not be loaded" failure={hosts.failure} onRetry={hosts.retry} />}
      {hosts.loading && <Skeleton className="card skeleton-chart" />}
      {hosts.first && <StorageHosts hosts={hosts.items} method={hosts.first.method} onMore={hosts.more} moreBusy={hosts.moreBusy} />}
    </>
  );
}

function StorageLoading() {
  return (
    <>
      <LoadingWords>Loading the sizes</LoadingWords>
      <Skeleton className="card skeleton-card" />
      <Skeleton className="card skeleton-chart" />
    </>
  );
}
