// The metric of a ticket around its breach, with the threshold and the time it lasted. A drag looks
// closer, a double click goes back. Of a burst of log lines, their number over time.
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import type { Ticket } from '../io/contract-alerts';
import { theme as themeStore } from '../io/theme';
import { drawnUnit, LOG_ERROR_RATE, unitOfAlert } from '../logic/alert-units';
import { thresholdWords } from '../logic/alerts';
import { barsOf } from '../logic/log-bars';
import { whenOf } from '../logic/log-time';
import { logQueryOf, NO_LOG_FILTER } from '../logic/logs';
import { widened, type Span } from '../logic/range';
import { episodeBand, isDrawn, metricData, spanAround } from '../logic/ticket-chart';
import { timeSpan } from '../logic/format';
import { LogHistogram } from '../views/LogHistogram';
import { MetricChart } from '../views/MetricChart';
import { InlineFailure } from '../views/parts';
import { usePolled, useStore } from './hooks';
import { useServices } from './services';

/** An episode that goes on is followed. */
const FOLLOW_MS = 15_000;

export function TicketChart({ ticket, now }: { ticket: Ticket; now: number }) {
  if (isDrawn(ticket)) return <MetricAround key={ticket.id} ticket={ticket} now={now} />;
  return ticket.metric === LOG_ERROR_RATE && ticket.host_id !== null ? <LinesAround ticket={ticket} host={ticket.host_id} /> : null;
}

function MetricAround({ ticket, now }: { ticket: Ticket; now: number }) {
  const { api, clock } = useServices();
  const theme = useStore(themeStore);
  const [zoom, setZoom] = useState<Span | null>(null);
  const { host_id, metric, instance, resolved_at } = ticket;
  const metrics = usePolled({
    key: `${host_id} ${ticket.id} ${resolved_at} ${zoom?.from} ${zoom?.to}`,
    fetch: (signal) => api.metrics(host_id ?? '', { ...(zoom ?? spanAround(ticket, clock.now())), names: [metric] }, signal),
    nextMs: () => (resolved_at === null && zoom === null ? FOLLOW_MS : null),
    keepPrevious: true,
  });
  const data = useMemo(() => metrics.value && metricData(metrics.value, metric, (one) => one === instance), [metrics.value, metric, instance]);
  const { begun_at } = ticket;
  const end = resolved_at ?? Math.floor(now / FOLLOW_MS) * FOLLOW_MS;
  const bands = useMemo(() => [episodeBand({ begun_at, resolved_at }, end)], [begun_at, resolved_at, end]);
  const limits = useMemo(() => (ticket.threshold === null ? [] : [{ value: ticket.threshold, words: `limit ${thresholdWords(ticket)}` }]), [ticket]);
  return (
    <MetricChart
      title={instance === '' ? metric : `${metric} of ${instance}`}
      unit={drawnUnit(unitOfAlert(ticket))}
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

function LinesAround({ ticket, host }: { ticket: Ticket; host: string }) {
  const { api, clock } = useServices();
  const [, navigate] = useLocation();
  const span = spanAround(ticket, clock.now());
  const counts = usePolled({
    key: `${ticket.id} ${ticket.resolved_at}`,
    fetch: (signal) => api.lineCounts({ host, ...NO_LOG_FILTER, severity: 'error', span: { from: Math.round(span.from), to: Math.round(span.to) }, cursor: null }, signal),
    nextMs: () => (ticket.resolved_at === null ? FOLLOW_MS : null),
  });
  if (counts.failure !== null) return <InlineFailure what="The log lines could not be counted" failure={counts.failure} onRetry={counts.retry} />;
  const look = (from: number, to: number) => navigate(`/hosts/${host}/logs?${logQueryOf({ ...NO_LOG_FILTER, when: whenOf(from, to) })}`);
  return counts.value && <LogHistogram bars={barsOf(counts.value)} words={`errors and worse, ${timeSpan(span.from, span.to)}`} onZoom={look} />;
}
