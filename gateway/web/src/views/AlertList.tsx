// Tickets, newest first: how bad, what, where, since when. A row leads to its ticket; those that are
// open can be chosen to be acknowledged together.
import { memo } from 'react';
import { Link } from 'wouter';
import type { Alert } from '../io/contract-alerts';
import { sinceWords, subjectWords, thresholdWords, valueWords } from '../logic/alerts';
import { ago, MISSING, moment } from '../logic/format';
import { Marks, PriorityMark, StateMark } from './AlertParts';

export interface AlertListProps {
  alerts: readonly Alert[];
  now: number;
  chosen: ReadonlySet<number>;
  /** Null where nobody may acknowledge. */
  onChoose: ((id: number, on: boolean) => void) | null;
  onHost(host: string): void;
}

export function AlertList({ alerts, now, chosen, onChoose, onHost }: AlertListProps) {
  return (
    <ol className={onChoose ? 'card alert-list alert-list-choosing' : 'card alert-list'} aria-label="Alerts" data-testid="alerts">
      {alerts.map((alert) => (
        <Row key={alert.id} alert={alert} since={sinceWords(alert, now)} opened={ago(alert.opened_at, now)} isChosen={chosen.has(alert.id)} onChoose={onChoose} onHost={onHost} />
      ))}
    </ol>
  );
}

interface RowProps {
  alert: Alert;
  since: string;
  opened: string;
  isChosen: boolean;
  onChoose: AlertListProps['onChoose'];
  onHost(host: string): void;
}

const Row = memo(function Row({ alert, since, opened, isChosen, onChoose, onHost }: RowProps) {
  const { id, title, status, priority, rule_name, host_id, acknowledged_by } = alert;
  return (
    <li className={`alert-row alert-row-${status} alert-edge-${priority}`} data-alert={id} data-status={status}>
      {onChoose && (
        <label className="alert-check">
          <span className="visually-hidden">Select {title}</span>
          <input type="checkbox" checked={isChosen} disabled={status !== 'open'} onChange={(event) => onChoose(id, event.target.checked)} />
        </label>
      )}
      <PriorityMark priority={priority} />
      <div className="alert-what">
        <Link className="row-link alert-title" href={`/alerts/${id}`}>
          {title}
        </Link>
        <p className="alert-where">
          {host_id === null ? (
            <span>{subjectWords(alert)}</span>
          ) : (
            <button type="button" className="log-origin" onClick={() => onHost(host_id)} title={`Only ${host_id}`}>
              {subjectWords(alert)}
            </button>
          )}
          <span className="alert-rule">{rule_name}</span>
          <Marks alert={alert} />
        </p>
      </div>
      <Value alert={alert} />
      <div className="alert-status">
        <StateMark status={status} />
        {status === 'acknowledged' && acknowledged_by !== null && <span className="alert-by">by {acknowledged_by}</span>}
      </div>
      <div className="alert-times" title={`Began ${moment(alert.begun_at)}, opened ${moment(alert.opened_at)}`}>
        <span>{since}</span>
        <span className="alert-opened">opened {opened}</span>
      </div>
    </li>
  );
});

function Value({ alert }: { alert: Alert }) {
  const value = valueWords(alert);
  return (
    <div className="alert-value">
      {value === MISSING ? '' : value}
      {value !== MISSING && alert.host_id === null && ' of hosts'}
      {alert.threshold !== null && value !== MISSING && <span className="alert-limit">limit {thresholdWords(alert)}</span>}
    </div>
  );
}
