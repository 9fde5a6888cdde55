// The alerts of one host that are not resolved: the worst of them, and the way to all.
import { Link } from 'wouter';
import { PRIORITIES, type Alert } from '../io/contract-alerts';
import { alertsWords, sinceWords } from '../logic/alerts';
import { PriorityMark, StateMark } from './AlertParts';

/** More would push the host itself off the screen. */
const SHOWN_MAX = 3;

export function HostAlertsBanner({ host, alerts, now }: { host: string; alerts: readonly Alert[]; now: number }) {
  const sorted = alerts.toSorted((a, b) => PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority) || b.opened_at - a.opened_at);
  const [worst] = sorted;
  return (
    <section className={`card host-banner alert-edge-${worst?.priority ?? 'low'}`} aria-label="Alerts of this host" data-testid="host-banner">
      <ul>
        {sorted.slice(0, SHOWN_MAX).map((alert) => (
          <li key={alert.id}>
            <PriorityMark priority={alert.priority} />
            <Link className="alert-title" href={`/alerts/${alert.id}`}>
              {alert.title}
            </Link>
            {alert.status === 'acknowledged' && <StateMark status={alert.status} />}
            <span className="quiet">{sinceWords(alert, now)}</span>
          </li>
        ))}
      </ul>
      <Link className="onward" href={`/alerts?host=${host}`}>
        {alerts.length > SHOWN_MAX ? `All ${alertsWords(alerts.length)}` : 'In the inbox'}
      </Link>
    </section>
  );
}
