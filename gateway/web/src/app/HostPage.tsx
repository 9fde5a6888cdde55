// The page of one host: its header and its tabs; the overview joins what is fetched, what the fleet
// hears live and the live view. Leaves out drawing.
import { useMemo } from 'react';
import { Link, useSearch } from 'wouter';
import type { Host, HostDetail } from '../io/contract';
import { ApiError } from '../io/http';
import { failureSentence } from '../logic/format';
import { judge } from '../logic/gaps';
import { tabsFor, TAB_WORDS, type HostTab } from '../logic/host-tabs';
import { latestOf } from '../logic/latest';
import { rangeFromSearch } from '../logic/range';
import { ChartsLoading } from '../views/ChartGrid';
import { HostHeader } from '../views/HostHeader';
import { HostTables } from '../views/HostTables';
import { HostTabs } from '../views/HostTabs';
import { WarningIcon } from '../views/icons';
import { NowCards } from '../views/NowCards';
import { LoadingWords, Notice, Skeleton } from '../views/parts';
import { RichTables } from '../views/RichTables';
import { EventsPanel } from './EventsPanel';
import { HostAlertsPanel } from './HostAlertsPanel';
import { HostCharts } from './HostCharts';
import { useNow, useRole, useStore, useTitle, type Polled } from './hooks';
import { LogsPanel } from './LogsPanel';
import { ProcessesPanel } from './ProcessesPanel';
import { useServices } from './services';
import { SettingsPanel } from './SettingsPanel';
import { SystemPanel } from './SystemPanel';
import { useCompleteness, useHostDetail } from './use-host';
import { useLive } from './use-live';

export function HostPage({ id, tab: wanted }: { id: string; tab?: string | undefined }) {
  const role = useRole();
  const tab = tabsFor(role).find((one) => one === (wanted ?? 'overview'));
  useTitle(tab && tab !== 'overview' ? `${TAB_WORDS[tab]} of ${id}` : id);
  const detail = useHostDetail(id);
  const { fleet: service } = useServices();
  const listed = useStore(service.state).fleet.hosts.get(id);
  if (!tab) return <NoSuchTab id={id} />;
  if (detail.value) return <KnownHost detail={detail.value} host={newer(detail.value, listed)} tab={tab} />;
  if (detail.failure) return <HostFailure id={id} detail={detail} />;
  return <HostLoading />;
}

/** The fleet hears of status and figures live; the fetched detail is some seconds old. */
function newer(detail: HostDetail, listed: Host | undefined): Host {
  const live = listed && (listed.latest?.at ?? 0) >= (detail.latest?.at ?? 0) && listed.status_since >= detail.status_since;
  return live ? listed : detail;
}

function KnownHost({ detail, host, tab }: { detail: HostDetail; host: Host; tab: HostTab }) {
  const now = useNow();
  const completeness = useCompleteness(host.id);
  const role = useRole();
  return (
    <div className="host" data-host={host.id}>
      <HostHeader host={host} completeness={completeness.value} now={now} />
      <HostAlertsPanel id={host.id} now={now} />
      <HostTabs id={host.id} tab={tab} tabs={tabsFor(role)} />
      {tab === 'overview' && <Overview detail={detail} host={host} now={now} lacking={completeness.value !== null && !judge(completeness.value).complete} />}
      {tab === 'processes' && <ProcessesPanel id={host.id} now={now} />}
      {tab === 'logs' && <LogsPanel host={host.id} />}
      {tab === 'events' && <EventsPanel id={host.id} now={now} />}
      {tab === 'system' && <SystemPanel id={host.id} now={now} />}
      {tab === 'settings' && <SettingsPanel host={host.id} />}
    </div>
  );
}

function Overview({ detail, host, now, lacking }: { detail: HostDetail; host: Host; now: number; lacking: boolean }) {
  const search = useSearch();
  const range = useMemo(() => rangeFromSearch(search), [search]);
  const live = useLive(host.id, range.kind === 'live');
  const heard = live.samples.at(-1);
  const sample = heard ?? detail.sample;
  const latest = heard ? latestOf(heard) : host.latest;
  return (
    <>
      {latest && <NowCards latest={latest} stale={host.status === 'offline'} />}
      <HostCharts host={host} range={range} live={live} now={now} lacking={lacking} />
      <HostTables
        topCpu={live.topCpu.length > 0 ? live.topCpu : (detail.sample?.processes.top_cpu ?? [])}
        topMemory={live.topMemory.length > 0 ? live.topMemory : (detail.sample?.processes.top_memory ?? [])}
        filesystems={sample?.filesystems ?? []}
      />
      {sample && <RichTables sample={sample} smartDisks={detail.sample?.smart_disks ?? []} />}
    </>
  );
}

function HostFailure({ id, detail }: { id: string; detail: Polled<HostDetail> }) {
  const unknown = detail.failure instanceof ApiError && detail.failure.status === 404;
  return (
    <Notice icon={<WarningIcon />} title={unknown ? `No host is called ${id}` : 'The host could not be loaded'} tone="bad">
      <p>{failureSentence(detail.failure)}</p>
      <div className="notice-actions">
        <Link className="button" href="/">
          Go to the fleet
        </Link>
        <button className="button" type="button" onClick={detail.retry}>
          Try now
        </button>
      </div>
    </Notice>
  );
}

function NoSuchTab({ id }: { id: string }) {
  return (
    <Notice icon={<WarningIcon />} title="There is no such page">
      <Link className="button" href={`/hosts/${id}`}>
        Go to the host
      </Link>
    </Notice>
  );
}

function HostLoading() {
  return (
    <div className="host">
      <LoadingWords>Loading the host</LoadingWords>
      <Skeleton className="skeleton-title" />
      <div className="now">
        {Array.from({ length: 6 }, (_, index) => (
          <Skeleton key={index} className="card skeleton-card" />
        ))}
      </div>
      <ChartsLoading />
    </div>
  );
}
