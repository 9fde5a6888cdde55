// The log lines of a ticket's host around the time it began, or its last ones before it went away, with
// the way to all of them; of a group, the errors of all hosts.
import { Link, useLocation } from 'wouter';
import type { Ticket } from '../io/contract-alerts';
import { whenOf } from '../logic/log-time';
import { logQueryOf, NO_LOG_FILTER, type LogFilter } from '../logic/logs';
import { timeSpan } from '../logic/format';
import { logSpan, logWords } from '../logic/ticket-chart';
import { ChevronIcon } from '../views/icons';
import { LogList } from '../views/LogList';
import { InlineFailure, Skeleton } from '../views/parts';
import { useServices } from './services';
import { usePolled } from './hooks';

/** One screen; the rest is a click away. */
const LINES_MAX = 15;
const LINES_MS = 30_000;

export function TicketLogs({ ticket }: { ticket: Ticket }) {
  return <Lines key={ticket.id} ticket={ticket} host={ticket.host_id} />;
}

/** What a whole fleet logs besides is too much to read. */
const OF_HOST = NO_LOG_FILTER;
const OF_ALL: LogFilter = { ...NO_LOG_FILTER, severity: 'error' };

function Lines({ ticket, host }: { ticket: Ticket; host: string | null }) {
  const { api, clock } = useServices();
  const [, navigate] = useLocation();
  const span = logSpan(ticket, clock.now());
  const wanted = host === null ? OF_ALL : OF_HOST;
  const page = usePolled({
    key: `${ticket.id} ${ticket.resolved_at}`,
    fetch: (signal) => api.lines({ host, ...wanted, span: { from: Math.round(span.from), to: Math.round(span.to) }, cursor: null }, signal),
    nextMs: () => (ticket.resolved_at === null ? LINES_MS : null),
  });
  const address = (filter: Partial<LogFilter>) => `${host === null ? '' : `/hosts/${host}`}/logs?${logQueryOf({ ...wanted, when: whenOf(span.from, span.to), ...filter })}`;
  const lines = page.value?.items ?? [];
  return (
    <section className="ticket-logs" aria-label="Log lines of that time">
      <header className="ticket-part-head">
        <h2 className="section-heading">
          {logWords(ticket)}, {timeSpan(span.from, span.to)}
        </h2>
        <Link className="onward" href={address({})}>
          All of them
          <ChevronIcon />
        </Link>
      </header>
      {page.failure !== null && <InlineFailure what="The log lines could not be loaded" failure={page.failure} onRetry={page.retry} />}
      {page.loading && <Skeleton className="card skeleton-card" />}
      {page.value && lines.length === 0 && <p className="card panel-empty">{host === null ? 'No errors were logged in that time.' : 'No log lines were stored for that time.'}</p>}
      {lines.length > 0 && (
        <LogList
          lines={lines.slice(0, LINES_MAX)}
          withHost={host === null}
          onApplication={(application) => navigate(address({ application }))}
          onField={(field) => navigate(address({ fields: [field] }))}
        />
      )}
      {lines.length > LINES_MAX && <p className="quiet">The newest {LINES_MAX} are shown.</p>}
    </section>
  );
}
