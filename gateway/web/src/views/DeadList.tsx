// Notifications that failed for good: where to, what of, and why.
import { Link } from 'wouter';
import type { Channel, DeadNotification } from '../io/contract-channels';
import { notificationWords } from '../logic/alert-history';
import { ago, count, moment } from '../logic/format';

export interface DeadListProps {
  items: readonly DeadNotification[];
  channels: readonly Channel[];
  now: number;
  /** Null where nothing may be done. */
  onDeed: ((notification: DeadNotification, deed: 'retry' | 'discard') => void) | null;
}

export function DeadList({ items, channels, now, onDeed }: DeadListProps) {
  return (
    <ul className="card dead-list" data-testid="dead-notifications">
      {items.map((one) => (
        <li key={one.id} className="dead-row" data-notification={one.id}>
          <div className="channel-what">
            <p>
              <strong className="channel-name">{channels.find(({ id }) => id === one.channel_id)?.name ?? one.channel}</strong>
              <span className="quiet"> {notificationWords(one.kind)}: </span>
              <About notification={one} />
            </p>
            <p className="channel-error">{one.error ?? 'It is not known why.'}</p>
          </div>
          <span className="quiet" title={moment(one.created_at)}>
            {count(one.attempts)} {one.attempts === 1 ? 'try' : 'tries'}, {ago(one.created_at, now)}
          </span>
          {onDeed && (
            <div className="channel-deeds">
              <button type="button" className="button" onClick={() => onDeed(one, 'retry')}>
                Retry
              </button>
              <button type="button" className="button" onClick={() => onDeed(one, 'discard')}>
                Discard
              </button>
            </div>
          )}
        </li>
      ))}
    </ul>
  );
}

/** The ticket, or how many of them. */
function About({ notification: { title, alert_ids } }: { notification: DeadNotification }) {
  const [first] = alert_ids;
  const words = title === '' ? (first === undefined ? 'no alert' : `alert ${first}`) : title;
  return (
    <>
      {first === undefined ? (
        words
      ) : (
        <Link className="text-link" href={`/alerts/${first}`}>
          {words}
        </Link>
      )}
      {alert_ids.length > 1 && <span className="quiet"> and {count(alert_ids.length - 1)} more</span>}
    </>
  );
}
