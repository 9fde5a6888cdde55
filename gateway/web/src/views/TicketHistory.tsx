// What happened to a ticket, oldest first, with who did what; and the field for a comment.
import { useState } from 'react';
import type { HistoryEntry, Ticket } from '../io/contract-alerts';
import { entryWords } from '../logic/alert-history';
import { unitOfAlert } from '../logic/alert-units';
import { ago, clockTime, day, moment } from '../logic/format';

export interface TicketHistoryProps {
  ticket: Ticket;
  now: number;
  busy: boolean;
  /** Null where nothing may be written. */
  onComment: ((text: string) => Promise<boolean>) | null;
}

/** As many bytes as the gateway takes; characters may be longer, and it says so then. */
const COMMENT_MAX = 4_096;

export function TicketHistory({ ticket, now, busy, onComment }: TicketHistoryProps) {
  const unit = unitOfAlert(ticket);
  return (
    <section className="card ticket-history" aria-label="History">
      <h3>History</h3>
      {ticket.history.length === 0 && <p className="quiet">No entries yet.</p>}
      <ol className="history">
        {ticket.history.map((entry) => (
          <Entry key={entry.id} entry={entry} unit={unit} now={now} />
        ))}
      </ol>
      {onComment && <Comment busy={busy} onComment={onComment} />}
    </section>
  );
}

function Entry({ entry, unit, now }: { entry: HistoryEntry; unit: string; now: number }) {
  const { title, more, tone } = entryWords(entry, unit);
  return (
    <li className={`history-entry event-${tone}`} data-kind={entry.kind}>
      <span className="event-dot" aria-hidden="true" />
      <div>
        <p className="history-title">
          {title}
          {entry.by !== null && <span className="quiet"> by {entry.by}</span>}
        </p>
        {more !== '' && <p className="ticket-text history-more">{more}</p>}
        <time dateTime={new Date(entry.at).toISOString()} title={moment(entry.at)}>
          {day(entry.at)} {clockTime(entry.at, true)}, {ago(entry.at, now)}
        </time>
      </div>
    </li>
  );
}

function Comment({ busy, onComment }: { busy: boolean; onComment(text: string): Promise<boolean> }) {
  const [text, setText] = useState('');
  const send = async () => {
    if (await onComment(text.trim())) setText('');
  };
  return (
    <form
      className="comment-form"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <textarea rows={2} value={text} placeholder="Write a comment" aria-label="Comment" maxLength={COMMENT_MAX} onChange={(event) => setText(event.target.value)} />
      <button type="submit" className="button" disabled={busy || text.trim() === ''}>
        Comment
      </button>
    </form>
  );
}
