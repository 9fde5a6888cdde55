// The page of one ticket: joins the ticket, what is done to it, the chart around the breach and the
// log lines of that time. Leaves out drawing.
import { useState } from 'react';
import { Link } from 'wouter';
import type { Ticket } from '../io/contract-alerts';
import { ApiError } from '../io/http';
import { failureSentence } from '../logic/format';
import { mayGovern, mayHandle } from '../logic/host-tabs';
import { OutcomeWords } from '../views/AlertParts';
import { WarningIcon } from '../views/icons';
import { InlineFailure, LoadingWords, Notice, Skeleton } from '../views/parts';
import { TicketContext } from '../views/TicketContext';
import { QuickSilence, TicketDeeds } from '../views/TicketDeeds';
import { TicketHead } from '../views/TicketHead';
import { TicketHistory } from '../views/TicketHistory';
import { TicketNotifications } from '../views/TicketNotifications';
import { TicketTexts } from '../views/TicketTexts';
import { useNow, useRole, useTitle, type Polled } from './hooks';
import { useServices } from './services';
import { TicketChart } from './TicketChart';
import { TicketLogs } from './TicketLogs';
import { useTicket, type TicketWork } from './use-ticket';

export function TicketPage({ id }: { id: number }) {
  const work = useTicket(id);
  useTitle(work.ticket?.title ?? `Alert ${id}`);
  if (work.ticket) return <Known ticket={work.ticket} work={work} />;
  if (work.polled.failure !== null) return <TicketFailure polled={work.polled} />;
  return (
    <div className="host">
      <LoadingWords>Loading the alert</LoadingWords>
      <Skeleton className="skeleton-title" />
      <Skeleton className="card skeleton-card" />
      <Skeleton className="card skeleton-chart" />
    </div>
  );
}

function Known({ ticket, work }: { ticket: Ticket; work: TicketWork }) {
  const now = useNow();
  const role = useRole();
  const [silencing, setSilencing] = useState(false);
  const { clock } = useServices();
  return (
    <div className="host" data-ticket={ticket.id} data-status={ticket.status}>
      <TicketHead ticket={ticket} now={now} />
      {work.polled.failure !== null && <InlineFailure what="The alert could not be refreshed" failure={work.polled.failure} onRetry={work.polled.retry} />}
      {mayHandle(role) && <TicketDeeds ticket={ticket} busy={work.busy} mayGovern={mayGovern(role)} isSilencing={silencing} onDeed={work.handle} onSilence={() => setSilencing(!silencing)} />}
      {silencing && (
        <QuickSilence
          ticket={ticket}
          busy={work.busy}
          now={() => clock.now()}
          onSilence={(draft) => void work.silence(draft).then((taken) => taken && setSilencing(false))}
          onClose={() => setSilencing(false)}
        />
      )}
      <OutcomeWords outcome={work.outcome} />
      <div className="ticket-columns">
        <div className="ticket-main">
          <TicketTexts ticket={ticket} />
          <TicketChart ticket={ticket} now={now} />
          <TicketContext ticket={ticket} />
          <TicketLogs ticket={ticket} />
        </div>
        <div className="ticket-side">
          <TicketHistory ticket={ticket} now={now} busy={work.busy} onComment={mayHandle(role) ? work.comment : null} />
          <TicketNotifications notifications={ticket.notifications} now={now} />
        </div>
      </div>
    </div>
  );
}

function TicketFailure({ polled }: { polled: Polled<Ticket> }) {
  const unknown = polled.failure instanceof ApiError && polled.failure.status === 404;
  return (
    <Notice icon={<WarningIcon />} title={unknown ? 'There is no such alert' : 'The alert could not be loaded'} tone="bad">
      <p>{failureSentence(polled.failure)}</p>
      <div className="notice-actions">
        <Link className="button" href="/alerts">
          Go to the alerts
        </Link>
        <button className="button" type="button" onClick={polled.retry}>
          Try now
        </button>
      </div>
    </Notice>
  );
}
