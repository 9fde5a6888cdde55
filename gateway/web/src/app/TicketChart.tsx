// The metric of a ticket around its breach, with the threshold and the time it lasted; of a group, the
// metric of its hosts; of a host that was away, what it did before and after. A drag looks closer, a double click goes back. Of a burst of log lines, their
// number over time.
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import type { Metrics } from '../io/contract';
import type { Ticket } from '../io/contract-alerts';
import { ApiError } from '../io/http';
import { theme as themeStore } from '../io/theme';
import { drawnUnit, unitOfAlert, unitOfMetric } from '../logic/alert-units';
import { thresholdWords } from '../logic/alerts';
import { barsOf } from '../logic/log-bars';
import { whenOf } from '../logic/log-time';
import { logQueryOf, NO_LOG_FILTER } from '../logic/logs';
import { widened, type Span } from '../logic/range';
import { drawnMetric, episodeBand, groupData, groupTitle, hostsDrawn, hostTitle, metricData, spanAround } from '../logic/ticket-chart';
import { timeSpan } from '../logic/format';
import { LogHistogram } from '../views/LogHistogram';
import { MetricChart } from '../views/MetricChart';
import { InlineFailure } from '../views/parts';
import { usePolled, useStore, type Polled } from './hooks';
import { useServices } from './services';

/** An episode that goes on is followed. */
const FOLLOW_MS = 15_000;
/** Up to eight hosts are asked. */
const GROUP_FOLLOW_MS = 60_000;

export function TicketChart({ ticket, now }: { ticket: Ticket; now: number }) {
  const metric = drawnMetric(ticket);
  if (metric === null) return <LinesAround ticket={ticket} host={ticket.host_id} />;
  return hostsDrawn(ticket).length === 0 ? null : <MetricAround key={ticket.id} ticket={ticket} metric={metric} now={now} />;
}

function MetricAround({ ticket, metric, now }: { ticket: Ticket; metric: string; now: number }) {
  const theme = useStore(themeStore);
  const [zoom, setZoom] = useState<Span | null>(null);
  const metrics = useMetrics(ticket, metric, zoom);
  const { host_id, instance, begun_at, resolved_at } = ticket;
  const isGroup = host_id === null;
  const isOwn = metric === ticket.metric;
  const data = useMemo(() => {
    if (isGroup || !metrics.value) return metrics.value && groupData(metrics.value, metric);
    const [own] = metrics.value;
    return own ? metricData(own, metric, (one) => one === instance) : null;
  }, [metrics.value, metric, instance, isGroup]);
  const end = resolved_at ?? Math.floor(now / FOLLOW_MS) * FOLLOW_MS;
  const bands = useMemo(() => [episodeBand({ metric: ticket.metric, begun_at, resolved_at }, end)], [ticket.metric, begun_at, resolved_at, end]);
  // The limit of a group is the share of its hosts, which is not on the scale of their metric.
  const limits = useMemo(() => (isGroup || !isOwn || ticket.threshold === null ? [] : [{ value: ticket.threshold, words: `limit ${thresholdWords(ticket)}` }]), [ticket, isGroup, isOwn]);
  // All of its hosts were removed since.
  if (metrics.value?.length === 0) return null;
  return (
    <MetricChart
      title={isGroup ? groupTitle(metric, metrics.value?.length ?? hostsDrawn(ticket).length, ticket.hosts_count ?? 0) : hostTitle(ticket)}
      unit={drawnUnit(isGroup || !isOwn ? unitOfMetric(metric) : unitOfAlert(ticket))}
      data={data}
      failure={metrics.failure}
      bands={bands}
      limits={limits}
      theme={theme}
      busy={metrics.loading}
      isZoomed={zoom !== null}
      onZoom={(from, to) => setZoom(widened(from, to))}
      onZoomOut={() => setZoom(null)}
      onRetry={metrics.retry}
    />
  );
}

/** Of each host of the ticket, all of the same time. */
function useMetrics(ticket: Ticket, metric: string, zoom: Span | null): Polled<Metrics[]> {
  const { api, clock } = useServices();
  const { id, host_id, resolved_at } = ticket;
  const hosts = hostsDrawn(ticket);
  return usePolled({
    key: `${hosts.join()} ${id} ${resolved_at} ${zoom?.from} ${zoom?.to}`,
    fetch: async (signal) => {
      const wanted = { ...(zoom ?? spanAround(ticket, clock.now())), names: [metric] };
      if (host_id !== null) return [await api.metrics(host_id, wanted, signal)];
      const answers = await Promise.all(hosts.map((host) => api.metrics(host, wanted, signal).catch(absentIfRemoved)));
      return answers.filter((answer) => answer !== null);
    },
    nextMs: () => (resolved_at === null && zoom === null ? (host_id === null ? GROUP_FOLLOW_MS : FOLLOW_MS) : null),
    keepPrevious: true,
  });
}

/** A host of a group that was removed since takes no others with it. */
function absentIfRemoved(error: unknown): null {
  if (error instanceof ApiError && error.status === 404) return null;
  throw error;
}

/** Of a group, of all hosts: log lines are counted for one or for all. */
function LinesAround({ ticket, host }: { ticket: Ticket; host: string | null }) {
  const { api, clock } = useServices();
  const [, navigate] = useLocation();
  const span = spanAround(ticket, clock.now());
  const counts = usePolled({
    key: `${ticket.id} ${ticket.resolved_at}`,
    fetch: (signal) => api.lineCounts({ host, ...NO_LOG_FILTER, severity: 'error', span: { from: Math.round(span.from), to: Math.round(span.to) }, cursor: null }, signal),
    nextMs: () => (ticket.resolved_at === null ? FOLLOW_MS : null),
  });
  if (counts.failure !== null) return <InlineFailure what="The log lines could not be counted" failure={counts.failure} onRetry={counts.retry} />;
  const look = (from: number, to: number) => navigate(`${host === null ? '' : `/hosts/${host}`}/logs?${logQueryOf({ ...NO_LOG_FILTER, when: whenOf(from, to) })}`);
  return counts.value && <LogHistogram bars={barsOf(counts.value)} words={`errors and worse${host === null ? ' of all hosts' : ''}, ${timeSpan(span.from, span.to)}`} onZoom={look} />;
}
