// The page of one host: joins what is fetched, what the fleet hears live and the live view, and
// keeps the chosen range in the address. Leaves out drawing.
import { useMemo, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import type { Host, HostDetail, Metrics } from '../io/contract';
import { ApiError } from '../io/http';
import { theme as themeStore } from '../io/theme';
import { historyData, liveData } from '../logic/chart-data';
import { chartsToDraw } from '../logic/charts';
import { asSentence } from '../logic/format';
import { latestOf } from '../logic/latest';
import { liveSpan, type Live } from '../logic/live';
import { customRange, rangeFromSearch, rangeToSearch, widened, type Range, type Span } from '../logic/range';
import { ChartGrid, ChartsLoading, type DrawnChart } from '../views/ChartGrid';
import { HostHeader } from '../views/HostHeader';
import { HostTables } from '../views/HostTables';
import { PulseIcon, WarningIcon } from '../views/icons';
import { NowCards } from '../views/NowCards';
import { LoadingWords, Notice, Skeleton } from '../views/parts';
import { RangeBar } from '../views/RangeBar';
import { useNow, useStore, useTitle, type Polled } from './hooks';
import { useServices } from './services';
import { useCompleteness, useHistory, useHostDetail, usePerCore } from './use-host';
import { useLive } from './use-live';

export function HostPage({ id }: { id: string }) {
  useTitle(id);
  const detail = useHostDetail(id);
  const { fleet: service } = useServices();
  const listed = useStore(service.state).fleet.hosts.get(id);
  if (detail.value) return <KnownHost detail={detail.value} host={newer(detail.value, listed)} />;
  if (detail.failure) return <HostFailure id={id} detail={detail} />;
  return <HostLoading />;
}

/** The fleet hears of status and figures live; the fetched detail is some seconds old. */
function newer(detail: HostDetail, listed: Host | undefined): Host {
  const live = listed && (listed.latest?.at ?? 0) >= (detail.latest?.at ?? 0) && listed.status_since >= detail.status_since;
  return live ? listed : detail;
}

function KnownHost({ detail, host }: { detail: HostDetail; host: Host }) {
  const now = useNow();
  const completeness = useCompleteness(host.id);
  const search = useSearch();
  const range = useMemo(() => rangeFromSearch(search), [search]);
  const live = useLive(host.id, range.kind === 'live');
  const heard = live.samples.at(-1);
  const sample = heard ?? detail.sample;
  const latest = heard ? latestOf(heard) : host.latest;
  return (
    <div className="host" data-host={host.id}>
      <HostHeader host={host} completeness={completeness.value} now={now} />
      {latest && <NowCards latest={latest} stale={host.status === 'offline'} />}
      <Charts host={host} range={range} live={live} now={now} />
      <HostTables
        topCpu={live.topCpu.length > 0 ? live.topCpu : (detail.sample?.processes.top_cpu ?? [])}
        topMemory={live.topMemory.length > 0 ? live.topMemory : (detail.sample?.processes.top_memory ?? [])}
        filesystems={sample?.filesystems ?? []}
      />
    </div>
  );
}

interface ChartsProps {
  host: Host;
  range: Range;
  live: Live;
  now: number;
}

function Charts({ host, range, live, now }: ChartsProps) {
  const [, navigate] = useLocation();
  const [perCore, setPerCore] = usePerCore();
  const [frozen, setFrozen] = useState<Span | null>(null);
  const history = useHistory(host.id, range, perCore);
  const theme = useStore(themeStore);
  const isLive = range.kind === 'live';
  const charts = useDrawnCharts(isLive, live, frozen, history.value, perCore);

  const show = (next: Range) => {
    setFrozen(null);
    navigate(`/hosts/${host.id}${rangeToSearch(next)}`);
  };
  const zoom = (from: number, to: number) => {
    const span = widened(from, to);
    if (isLive) return setFrozen(span);
    const chosen = customRange(span.from, span.to);
    if (chosen) show(chosen);
  };
  const zoomOut = () => {
    if (frozen) setFrozen(null);
    else if (range.kind === 'custom') window.history.back();
  };
  const first = charts?.[0]?.data;
  return (
    <>
      <RangeBar range={range} span={first ?? { from: now - 3_600_000, to: now }} live={live} frozen={frozen !== null} onRange={show} onFollow={() => setFrozen(null)} />
      <HistoryFailure history={history} />
      {charts === null ? (
        <NoCharts isLive={isLive} live={live} />
      ) : (
        <ChartGrid
          charts={charts}
          latest={host.latest}
          theme={theme}
          busy={!isLive && history.loading}
          perCore={perCore}
          live={isLive ? { points: live.samples.length, lastAt: live.samples.at(-1)?.at ?? 0 } : null}
          onPerCore={setPerCore}
          onZoom={zoom}
          onZoomOut={zoomOut}
        />
      )}
    </>
  );
}

function useDrawnCharts(isLive: boolean, live: Live, frozen: Span | null, metrics: Metrics | null, perCore: boolean): DrawnChart[] | null {
  const { samples } = live;
  return useMemo(() => {
    const specs = chartsToDraw(perCore);
    if (isLive) {
      const last = samples.at(-1);
      if (!last) return null;
      const span = frozen ?? liveSpan(samples, last.at);
      return specs.map((spec) => ({ spec, data: liveData(spec, samples, span.from, span.to) }));
    }
    return metrics && specs.map((spec) => ({ spec, data: historyData(spec, metrics) }));
  }, [isLive, samples, frozen, metrics, perCore]);
}

function HistoryFailure({ history }: { history: Polled<Metrics> }) {
  if (!history.failure) return null;
  return (
    <p className="inline-failure" role="alert">
      <WarningIcon />
      The charts could not be loaded: {sentence(history.failure)}
      <button type="button" className="button" onClick={history.retry}>
        Try now
      </button>
    </p>
  );
}

function NoCharts({ isLive, live }: { isLive: boolean; live: Live }) {
  if (!isLive) return <ChartsLoading />;
  if (live.phase !== 'silent') return <ChartsLoading />;
  return (
    <Notice icon={<PulseIcon />} title="The agent does not answer">
      <p>{asSentence(live.reason ?? '')} The recorded history is still there: choose a range above.</p>
    </Notice>
  );
}

function HostFailure({ id, detail }: { id: string; detail: Polled<HostDetail> }) {
  const unknown = detail.failure instanceof ApiError && detail.failure.status === 404;
  return (
    <Notice icon={<WarningIcon />} title={unknown ? `No host is called ${id}` : 'The host could not be loaded'} tone="bad">
      <p>{sentence(detail.failure)}</p>
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

function sentence(failure: unknown): string {
  return asSentence(failure instanceof Error ? failure.message : String(failure));
}
