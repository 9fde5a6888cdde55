// One metric in a card of its own, with its limits and the times in which something held.
import type { ChartData } from '../logic/chart-data';
import type { Unit } from '../logic/format';
import type { Band } from '../logic/gaps';
import type { Limit } from './chart-bands';
import { InlineFailure, LoadingWords, Skeleton } from './parts';
import { TimeChart } from './TimeChart';

export interface MetricChartProps {
  title: string;
  unit: Unit;
  /** Null before there is any. */
  data: ChartData | null;
  failure: unknown;
  bands: readonly Band[];
  limits: readonly Limit[];
  theme: string;
  busy: boolean;
  isZoomed: boolean;
  onZoom(from: number, to: number): void;
  onZoomOut(): void;
  onRetry(): void;
}

export function MetricChart({ title, unit, data, failure, bands, limits, theme, busy, isZoomed, onZoom, onZoomOut, onRetry }: MetricChartProps) {
  if (data === null) {
    if (failure !== null) return <InlineFailure what="The chart could not be loaded" failure={failure} onRetry={onRetry} />;
    return (
      <>
        <LoadingWords>Loading the chart</LoadingWords>
        <Skeleton className="card skeleton-chart" />
      </>
    );
  }
  return (
    <figure className={busy ? 'card chart charts-busy' : 'card chart'} aria-label={`${title} over time`} data-testid="metric-chart">
      <figcaption>
        <h3>{title}</h3>
        {isZoomed && (
          <button type="button" className="chip" onClick={onZoomOut}>
            Show all of it
          </button>
        )}
      </figcaption>
      <TimeChart unit={unit} data={data} ceiling={null} bands={bands} limits={limits} theme={theme} onZoom={onZoom} onZoomOut={onZoomOut} />
    </figure>
  );
}
