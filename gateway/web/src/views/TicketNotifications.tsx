// Who was told of a ticket, over which channel, and what became of it.
import { Link } from 'wouter';
import type { TicketNotification } from '../io/contract-alerts';
import { notificationWords, stateWords } from '../logic/alert-history';
import { ago, count, duration, moment } from '../logic/format';

export function TicketNotifications({ notifications, now }: { notifications: readonly TicketNotification[]; now: number }) {
  return (
    <section className="card ticket-history" aria-label="Notifications">
      <h3>Notifications</h3>
      {notifications.length === 0 && <p className="quiet">No notifications.</p>}
      <ol className="history">
        {notifications.map((one) => (
          <Told key={one.id} notification={one} now={now} />
        ))}
      </ol>
    </section>
  );
}

function Told({ notification, now }: { notification: TicketNotification; now: number }) {
  const { channel, kind, state, attempts, created_at, sent_at, next_attempt_at, error } = notification;
  const [words, tone] = stateWords(state);
  const again = state === 'pending' && next_attempt_at !== null && next_attempt_at > now ? `, next try in ${duration(next_attempt_at - now)}` : '';
  const tries = attempts > 1 ? ` after ${count(attempts)} tries` : '';
  return (
    <li className={`history-entry event-${tone}`} data-state={state}>
      <span className="event-dot" aria-hidden="true" />
      <div>
        <p className="history-title">
          <Link className="text-link" href="/alerts/channels">
            {channel}
          </Link>
          <span className={tone === 'bad' ? 'told-state bad' : 'told-state quiet'}>
            {words}
            {tries}
          </span>
        </p>
        <p className="history-more">
          {notificationWords(kind)}
          {again}
        </p>
        {error !== null && state !== 'sent' && <p className="history-more bad">{error}</p>}
        <time dateTime={new Date(sent_at ?? created_at).toISOString()} title={moment(sent_at ?? created_at)}>
          {ago(sent_at ?? created_at, now)}
        </time>
      </div>
    </li>
  );
}
