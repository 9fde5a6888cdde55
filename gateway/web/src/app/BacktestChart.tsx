// The metric of one host over the time of a backtest, with the threshold and where the rule would have
// fired. A drag looks closer, a double click goes back.
import { useMemo, useState } from 'react';
import type { Metrics } from '../io/contract';
import type { Backtest } from '../io/contract-rules';
import { theme as themeStore } from '../io/theme';
import { amountWords, drawnUnit } from '../logic/alert-units';
import { episodeBands } from '../logic/backtest';
import type { ChartData } from '../logic/chart-data';
import { readAmount } from '../logic/quantities';
import { widened, type Span } from '../logic/range';
import type { RuleDraft } from '../logic/rule-form';
import { unitIn, type Units } from '../logic/rule-words';
import { instanceFilter, metricData } from '../logic/ticket-chart';
import { MetricChart } from '../views/MetricChart';
import { usePolled, useStore } from './hooks';
import { useServices } from './services';

export interface BacktestChartProps {
  host: string;
  /** What is looked at first; null for all of it. */
  first: Span | null;
  result: Backtest;
  draft: RuleDraft;
  units: Units;
}

export function BacktestChart({ host, first, result, draft, units }: BacktestChartProps) {
  const { api } = useServices();
  const theme = useStore(themeStore);
  const [zoom, setZoom] = useState<Span | null>(first);
  const metric = draft.metric.trim();
  const unit = unitIn(units, metric);
  const { from, to } = zoom ?? result;
  const metrics = usePolled({
    key: `${host} ${metric} ${from} ${to}`,
    fetch: (signal) => api.metrics(host, { from, to, names: [metric] }, signal),
    nextMs: () => null,
    keepPrevious: true,
  });
  const data = useDrawn(metrics.value, draft.metric, draft.instance);
  const bands = useMemo(() => episodeBands(result, host), [result, host]);
  const threshold = draft.limit === 'threshold' ? readAmount(draft.threshold, unit) : null;
  const limits = useMemo(() => (threshold === null ? [] : [{ value: threshold, words: `limit ${amountWords(threshold, unit)}` }]), [threshold, unit]);
  return (
    <MetricChart
      title={`${metric} of ${host}`}
      unit={drawnUnit(unit)}
      data={data}
      failure={metrics.failure}
      bands={bands}
      limits={limits}
      theme={theme}
      busy={metrics.loading}
      isZoomed={zoom !== null}
      onZoom={(left, right) => setZoom(widened(left, right))}
      onZoomOut={() => setZoom(null)}
      onRetry={metrics.retry}
    />
  );
}

function useDrawn(metrics: Metrics | null, metric: string, instance: string): ChartData | null {
  return useMemo(() => metrics && metricData(metrics, metric.trim(), instanceFilter(instance.trim())), [metrics, metric, instance]);
}
