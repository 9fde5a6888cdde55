// What became of a host, newest first, in words; narrowed to a kind if one is chosen.
import { Link } from 'wouter';
import type { HostEvent } from '../io/contract';
import { EVENT_KINDS, eventWords } from '../logic/events';
import { ago, clockTime, day, moment } from '../logic/format';
import { Skeleton } from './parts';

export interface EventListProps {
  events: readonly HostEvent[];
  loading: boolean;
  /** Empty for all. */
  kind: string;
  now: number;
  onKind(kind: string): void;
}

export function EventList({ events, loading, kind, now, onKind }: EventListProps) {
  return (
    <section className="card event-card" aria-label="Events">
      <header className="card-head">
        <h3>Events</h3>
        <label className="field-inline">
          <span className="visually-hidden">Kind</span>
          <select value={kind} onChange={(event) => onKind(event.target.value)}>
            <option value="">All kinds</option>
            {EVENT_KINDS.map(([one, words]) => (
              <option key={one} value={one}>
                {words}
              </option>
            ))}
          </select>
        </label>
      </header>
      {loading && <Skeleton className="skeleton-card" />}
      {!loading && events.length === 0 && <p className="panel-empty">{kind === '' ? 'Nothing has happened to this host yet.' : 'No event of this kind is kept.'}</p>}
      {events.length > 0 && (
        <ol className="event-list">
          {events.map((event) => (
            <Row key={event.id} event={event} now={now} />
          ))}
        </ol>
      )}
    </section>
  );
}

function Row({ event, now }: { event: HostEvent; now: number }) {
  const { title, more, tone, href } = eventWords(event);
  return (
    <li className="event" data-kind={event.kind}>
      <time dateTime={new Date(event.at).toISOString()} title={moment(event.at)}>
        {day(event.at)} {clockTime(event.at, true)}
      </time>
      <span className={`event-title event-${tone}`}>
        <span className="event-dot" aria-hidden="true" />
        {title}
      </span>
      <span className="event-more">
        {href === undefined ? (
          more
        ) : (
          <Link className="text-link" href={href}>
            {more}
          </Link>
        )}
      </span>
      <span className="event-ago">{ago(event.at, now)}</span>
    </li>
  );
}
