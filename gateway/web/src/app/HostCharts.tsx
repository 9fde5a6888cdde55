// The charts of a host: joins the recorded history or the live view with what there is to draw, and
// keeps the chosen range in the address. Leaves out drawing.
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import type { CatalogueItem, Host, Metrics } from '../io/contract';
import { theme as themeStore } from '../io/theme';
import { historyData, liveData } from '../logic/chart-data';
import { chartsToDraw } from '../logic/charts';
import { asSentence } from '../logic/format';
import { missingBands, type Band } from '../logic/gaps';
import { liveSpan, type Live } from '../logic/live';
import { customRange, rangeToSearch, widened, type Range, type Span } from '../logic/range';
import { ChartGrid, ChartsLoading, type DrawnChart } from '../views/ChartGrid';
import { PulseIcon } from '../views/icons';
import { InlineFailure, Notice } from '../views/parts';
import { MissingNote } from '../views/MissingNote';
import { RangeBar } from '../views/RangeBar';
import { useStore } from './hooks';
import { useDownload } from './use-download';
import { useCustomMetrics, useHistory, useMissing, usePerCore } from './use-host';

export interface HostChartsProps {
  host: Host;
  range: Range;
  live: Live;
  now: number;
  /** Something this host sent is not here. */
  lacking: boolean;
}

export function HostCharts({ host, range, live, now, lacking }: HostChartsProps) {
  const [, navigate] = useLocation();
  const [perCore, setPerCore] = usePerCore();
  const [frozen, setFrozen] = useState<Span | null>(null);
  const custom = useCustomMetrics(host.id);
  const history = useHistory(host.id, range, perCore, custom);
  const theme = useStore(themeStore);
  const isLive = range.kind === 'live';
  const download = useDownload(host.id, range, perCore, custom);
  const charts = useDrawnCharts(isLive, live, frozen, history.value, perCore, custom);

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
  const bands = useBands(host.id, range, lacking, first);
  return (
    <>
      <RangeBar range={range} span={first ?? { from: now - 3_600_000, to: now }} live={live} frozen={frozen !== null} onRange={show} onFollow={() => setFrozen(null)} onDownload={isLive ? null : download.start} downloading={download.busy} />
      {history.failure !== null && <InlineFailure what="The charts could not be loaded" failure={history.failure} onRetry={history.retry} />}
      {download.failure !== null && <InlineFailure what="The CSV could not be had" failure={download.failure} onRetry={download.start} />}
      <MissingNote bands={bands} />
      {charts === null ? (
        <NoCharts isLive={isLive} live={live} />
      ) : (
        <ChartGrid
          charts={charts}
          bands={bands}
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

const NO_BANDS: readonly Band[] = [];

/** Where the history that is shown lacks samples. */
function useBands(id: string, range: Range, lacking: boolean, shown: Span | undefined): readonly Band[] {
  const missing = useMissing(id, range, lacking).value;
  const { from, to } = shown ?? { from: 0, to: 0 };
  return useMemo(() => (missing && to > from ? missingBands(missing, { from, to }) : NO_BANDS), [missing, from, to]);
}

function useDrawnCharts(isLive: boolean, live: Live, frozen: Span | null, metrics: Metrics | null, perCore: boolean, custom: readonly CatalogueItem[]): DrawnChart[] | null {
  const { samples } = live;
  return useMemo(() => {
    const specs = chartsToDraw(perCore, custom);
    if (isLive) {
      const last = samples.at(-1);
      if (!last) return null;
      const span = frozen ?? liveSpan(samples, last.at);
      return specs.map((spec) => ({ spec, data: liveData(spec, samples, span.from, span.to) }));
    }
    return metrics && specs.map((spec) => ({ spec, data: historyData(spec, metrics) }));
  }, [isLive, samples, frozen, metrics, perCore, custom]);
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
