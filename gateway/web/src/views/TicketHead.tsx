// The top of a ticket's page: what it is about, how bad, its state, and its numbers.
import { Link } from 'wouter';
import type { Ticket } from '../io/contract-alerts';
import { lastedMs, placeOfKey, resolutionWords, subjectWords, thresholdWords, valueWords } from '../logic/alerts';
import { ago, duration, MISSING, moment } from '../logic/format';
import { Marks, PriorityMark, StateMark } from './AlertParts';
import { ChevronIcon } from './icons';

export function TicketHead({ ticket, now }: { ticket: Ticket; now: number }) {
  return (
    <header className="host-header">
      <nav aria-label="Breadcrumb" className="crumbs">
        <Link href="/alerts">Alerts</Link>
        <ChevronIcon />
        <span aria-current="page">{ticket.id}</span>
      </nav>
      <h1 className="ticket-title">{ticket.title}</h1>
      <div className="ticket-marks">
        <PriorityMark priority={ticket.priority} />
        <StateMark status={ticket.status} />
        <Marks alert={ticket} />
        <span className="quiet">{stateSentence(ticket)}</span>
      </div>
      <Figures ticket={ticket} now={now} />
      {ticket.superseded_by !== null && <Superseded superseded_by={ticket.superseded_by} />}
    </header>
  );
}

function stateSentence({ status, acknowledged_by, acknowledged_at, resolved_at, resolution }: Ticket): string {
  if (status === 'resolved') return `${resolutionWords(resolution)}${resolved_at === null ? '' : ` ${moment(resolved_at)}`}`;
  if (status === 'acknowledged') return `by ${acknowledged_by ?? 'somebody'}${acknowledged_at === null ? '' : `, ${moment(acknowledged_at)}`}`;
  return 'Nobody has acknowledged it yet.';
}

function Figures({ ticket, now }: { ticket: Ticket; now: number }) {
  const { host_id, rule_id, rule_name, rule_version, metric, threshold } = ticket;
  return (
    <dl className="ticket-figures">
      <Figure name={host_id === null ? 'Hosts' : 'Host'}>
        {host_id === null ? (
          subjectWords(ticket)
        ) : (
          <Link className="text-link" href={`/hosts/${host_id}`}>
            {subjectWords(ticket)}
          </Link>
        )}
      </Figure>
      {ticket.value !== null && <Figure name={host_id === null ? 'Share of hosts' : 'Value'} detail={metric}>{valueWords(ticket)}</Figure>}
      {threshold !== null && <Figure name="Limit">{thresholdWords(ticket)}</Figure>}
      <Figure name={ticket.status === 'resolved' ? 'Lasted' : 'For'} detail={`began ${moment(ticket.begun_at)}`}>
        {duration(lastedMs(ticket, now))}
      </Figure>
      <Figure name="Opened" detail={moment(ticket.opened_at)}>
        {ago(ticket.opened_at, now)}
      </Figure>
      <Figure name="Rule" detail={`version ${rule_version}`}>
        <Link className="text-link" href={`/alerts/rules/${rule_id}`}>
          {rule_name || MISSING}
        </Link>
      </Figure>
    </dl>
  );
}

function Figure({ name, detail, children }: { name: string; detail?: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
      {detail !== undefined && <dd className="ticket-detail">{detail}</dd>}
    </div>
  );
}

function Superseded({ superseded_by }: { superseded_by: string }) {
  const place = placeOfKey(superseded_by);
  return (
    <p className="inline-warning">
      A ticket of a higher priority took its place.
      {place && (
        <Link className="button" href={`/alerts?${new URLSearchParams({ rule: place.rule, ...(place.host !== '' && { host: place.host }) })}`}>
          Show it
        </Link>
      )}
    </p>
  );
}
