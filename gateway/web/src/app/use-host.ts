// What a host page fetches besides the live view: the host, its metrics for a range, and its
// completeness, each at its own pace. Leaves out how any of it is shown.
import { useState } from 'react';
import type { CatalogueItem, Completeness, HostDetail, Metrics } from '../io/contract';
import { chartsToDraw, metricNames } from '../logic/charts';
import { rangeToSearch, refreshMs, spanOf, type Range } from '../logic/range';
import { usePolled, type Polled } from './hooks';
import { useServices } from './services';

/** Process lists and filesystems change with each published frame. */
const DETAIL_MS = 10_000;
/** Gaps are repaired in minutes, not in seconds. */
const COMPLETENESS_MS = 30_000;
/** A new script shows up within minutes. */
const CUSTOM_MS = 120_000;

export function useHostDetail(id: string): Polled<HostDetail> {
  const { api } = useServices();
  return usePolled({
    key: id,
    fetch: (signal) => api.host(id, signal),
    nextMs: () => DETAIL_MS,
  });
}

export function useCompleteness(id: string): Polled<Completeness> {
  const { api } = useServices();
  return usePolled({
    key: id,
    fetch: (signal) => api.completeness(id, null, signal),
    nextMs: () => COMPLETENESS_MS,
  });
}

/** What is missing of the time the charts show; nothing is asked of a host that lacks nothing. */
export function useMissing(id: string, range: Range, lacking: boolean): Polled<Completeness> {
  const { api, clock } = useServices();
  return usePolled({
    key: lacking && range.kind !== 'live' ? `${id}${rangeToSearch(range)}` : null,
    fetch: (signal) => {
      if (range.kind === 'live') throw new Error('the live view has no history');
      return api.completeness(id, spanOf(range, clock.now()), signal);
    },
    nextMs: () => COMPLETENESS_MS,
  });
}

const NO_METRICS: readonly CatalogueItem[] = [];

/** What the host's own scripts measure; empty until that is known. */
export function useCustomMetrics(id: string): readonly CatalogueItem[] {
  const { api } = useServices();
  const found = usePolled({
    key: id,
    fetch: (signal) => api.customMetrics(id, signal),
    nextMs: () => CUSTOM_MS,
  });
  return found.value ?? NO_METRICS;
}

export function useHistory(id: string, range: Range, perCore: boolean, custom: readonly CatalogueItem[]): Polled<Metrics> {
  const { api, clock } = useServices();
  const names = metricNames(chartsToDraw(perCore, custom));
  const live = range.kind === 'live';
  return usePolled({
    key: live ? null : `${id}${rangeToSearch(range)}#${perCore}#${custom.map((item) => item.name).join()}`,
    fetch: (signal) => {
      if (range.kind === 'live') throw new Error('the live view has no history');
      return api.metrics(id, { ...spanOf(range, clock.now()), names }, signal);
    },
    nextMs: (metrics) => refreshMs(range, metrics.step_ms, clock.now()),
    keepPrevious: true,
  });
}

/** Whether the CPU chart shows cores; it stays as chosen while the page is open. */
export function usePerCore(): [boolean, (on: boolean) => void] {
  return useState(false);
}
