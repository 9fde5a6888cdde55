// The top of the inbox: what it is, and the switch for notifications of the browser; and what is shown
// where there is no ticket.
import type { NoticeState } from '../io/notices';
import { BellIcon, CheckIcon, MutedIcon, SearchIcon } from './icons';
import { Notice } from './parts';

const NOTICE_WORDS: Record<NoticeState, string> = {
  unavailable: '',
  denied: 'Notifications of this site are blocked in the browser’s settings',
  off: 'Show a browser notification for each new critical alert while Muster is open in a tab',
  on: 'New critical alerts are shown as browser notifications while Muster is open in a tab',
};

export function AlertsHead({ notices, onNotices }: { notices: NoticeState; onNotices(on: boolean): void }) {
  return (
    <div className="alerts-head">
      <h1 className="page-title">Alerts</h1>
      {notices !== 'unavailable' && (
        <button type="button" className="button" aria-pressed={notices === 'on'} disabled={notices === 'denied'} title={NOTICE_WORDS[notices]} onClick={() => onNotices(notices !== 'on')} data-testid="notices">
          {notices === 'on' ? <BellIcon /> : <MutedIcon />}
          <span>{notices === 'on' ? 'Browser notifications on' : notices === 'denied' ? 'Notifications blocked' : 'Notify me in the browser'}</span>
        </button>
      )}
    </div>
  );
}

export function NoAlerts({ narrowed, active, onClear }: { narrowed: boolean; active: boolean; onClear(): void }) {
  if (!narrowed && active) {
    return (
      <Notice icon={<CheckIcon />} title="Nothing is wrong">
        <p>No alert is open. When a rule fires, its alert appears here within a second or two.</p>
      </Notice>
    );
  }
  return (
    <Notice icon={<SearchIcon />} title="No alert matches">
      <button type="button" className="button" onClick={onClear}>
        Show active alerts
      </button>
    </Notice>
  );
}

export interface BulkBarProps {
  /** How many are chosen. */
  chosen: number;
  /** How many of what is shown could be. */
  open: number;
  busy: boolean;
  onAll(): void;
  onNone(): void;
  onAcknowledge(): void;
}

export function BulkBar({ chosen, open, busy, onAll, onNone, onAcknowledge }: BulkBarProps) {
  if (open === 0 && chosen === 0) return null;
  return (
    <div className="bulk-bar" role="toolbar" aria-label="Selected alerts">
      <span className="bulk-words" role="status">
        {chosen === 0 ? `${open} open shown` : `${chosen} of ${open} open selected`}
      </span>
      {chosen < open && (
        <button type="button" className="button" onClick={onAll}>
          Select all {open}
        </button>
      )}
      {chosen > 0 && (
        <>
          <button type="button" className="button" onClick={onNone}>
            Clear
          </button>
          <button type="button" className="button button-primary" disabled={busy} onClick={onAcknowledge}>
            {busy ? 'Acknowledging…' : `Acknowledge ${chosen}`}
          </button>
        </>
      )}
    </div>
  );
}
