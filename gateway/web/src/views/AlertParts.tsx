// Small parts that the pages of alerting share: the priority and the state of a ticket, what is special
// about it, and the links between the pages.
import { Link } from 'wouter';
import type { Alert, AlertStatus, Priority } from '../io/contract-alerts';
import { marksOf, PRIORITY_WORDS, STATUS_WORDS } from '../logic/alerts';
import { ALERT_PAGES } from '../logic/alert-pages';
import { CheckIcon, WarningIcon } from './icons';

/** The dot's shape differs as well as its colour. */
export function PriorityMark({ priority }: { priority: Priority }) {
  return (
    <span className={`priority priority-${priority}`}>
      <span className="priority-dot" aria-hidden="true" />
      {PRIORITY_WORDS[priority]}
    </span>
  );
}

export function StateMark({ status }: { status: AlertStatus }) {
  return <span className={`alert-state alert-state-${status}`}>{STATUS_WORDS[status]}</span>;
}

export function Marks({ alert }: { alert: Alert }) {
  return (
    <>
      {marksOf(alert).map(([word, what]) => (
        <span key={word} className="alert-mark" title={what}>
          {word}
        </span>
      ))}
    </>
  );
}

/** The pages of alerting, side by side. */
export function AlertTabs({ current }: { current: string }) {
  return (
    <nav className="tabs" aria-label="Parts of alerting">
      {ALERT_PAGES.map(({ href, words }) => (
        <Link key={href} href={href} aria-current={href === current ? 'page' : undefined}>
          {words}
        </Link>
      ))}
    </nav>
  );
}

export interface OutcomeLine {
  good: boolean;
  words: string;
}

/** What became of what somebody did. */
export function OutcomeWords({ outcome }: { outcome: OutcomeLine | null }) {
  if (outcome === null) return null;
  return (
    <p className={outcome.good ? 'settings-words good' : 'settings-words bad'} role={outcome.good ? 'status' : 'alert'} data-testid="outcome">
      {outcome.good ? <CheckIcon /> : <WarningIcon />}
      {outcome.words}
    </p>
  );
}
