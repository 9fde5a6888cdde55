// What can be done with a ticket: take it on or give it back, close it, and silence its rule on its
// host for some time.
import { useState } from 'react';
import type { TicketDeed } from '../io/api-alerts';
import type { Ticket } from '../io/contract-alerts';
import type { SilenceDraft } from '../io/contract-channels';
import { NEW_SILENCE, QUICK_LASTING, silenceOf, silenceOfTicket } from '../logic/silences';
import { ConfirmDialog } from './ConfirmDialog';
import { CheckIcon, MutedIcon } from './icons';

export interface TicketDeedsProps {
  ticket: Ticket;
  busy: boolean;
  /** Silences are an administrator's to make. */
  mayGovern: boolean;
  isSilencing: boolean;
  onDeed(deed: TicketDeed, comment: string): void;
  onSilence(): void;
}

export function TicketDeeds({ ticket, busy, mayGovern, isSilencing, onDeed, onSilence }: TicketDeedsProps) {
  const [resolving, setResolving] = useState(false);
  const [comment, setComment] = useState('');
  if (ticket.status === 'resolved') return null;
  return (
    <div className="ticket-deeds">
      {ticket.status === 'open' ? (
        <button type="button" className="button button-primary" disabled={busy} onClick={() => onDeed('acknowledge', '')}>
          <CheckIcon />
          Acknowledge
        </button>
      ) : (
        <button type="button" className="button" disabled={busy} onClick={() => onDeed('unacknowledge', '')}>
          Take back the acknowledgement
        </button>
      )}
      <button type="button" className="button" disabled={busy} onClick={() => setResolving(true)}>
        Resolve…
      </button>
      {mayGovern && (
        <button type="button" className="button" aria-expanded={isSilencing} disabled={busy} onClick={onSilence}>
          <MutedIcon />
          Silence this…
        </button>
      )}
      {resolving && (
        <ConfirmDialog
          title="Resolve this alert?"
          action="Resolve"
          tone="plain"
          onClose={() => setResolving(false)}
          onConfirm={() => {
            setResolving(false);
            onDeed('resolve', comment.trim());
          }}
        >
          <p>It resolves by itself when the breach ends. After you resolve it by hand, this breach opens no other alert: the next one is opened for the next breach, once this one has ended.</p>
          <label className="stacked-field">
            What was done (optional)
            <textarea rows={3} value={comment} maxLength={4000} onChange={(event) => setComment(event.target.value)} />
          </label>
        </ConfirmDialog>
      )}
    </div>
  );
}

export interface QuickSilenceProps {
  ticket: Ticket;
  busy: boolean;
  now(): number;
  onSilence(draft: SilenceDraft): void;
  onClose(): void;
}

export function QuickSilence({ ticket, busy, now, onSilence, onClose }: QuickSilenceProps) {
  const [lasting, setLasting] = useState<string>(QUICK_LASTING[0]);
  const [reason, setReason] = useState('');
  const [wrong, setWrong] = useState('');
  const submit = () => {
    const reading = silenceOf({ ...NEW_SILENCE, ...silenceOfTicket(ticket), lasting, reason }, now());
    if ('draft' in reading) onSilence(reading.draft);
    else setWrong(`${reading.reason}.`);
  };
  return (
    <form
      className="card quick-silence"
      aria-label="Silence this"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <p>
        Nobody is paged for <strong>{ticket.rule_name}</strong>
        {ticket.host_id !== null && (
          <>
            {' '}
            on <strong>{ticket.host_id}</strong>
          </>
        )}
        . Tickets are opened all the same.
      </p>
      <div className="segmented" role="group" aria-label="For how long">
        {QUICK_LASTING.map((one) => (
          <button key={one} type="button" aria-pressed={one === lasting} onClick={() => setLasting(one)}>
            {one}
          </button>
        ))}
      </div>
      <input className="quick-reason" value={reason} placeholder="Reason" aria-label="Reason" aria-invalid={wrong !== ''} maxLength={1000} onChange={(event) => (setReason(event.target.value), setWrong(''))} />
      <button type="submit" className="button button-primary" disabled={busy}>
        Silence for {lasting}
      </button>
      <button type="button" className="button" onClick={onClose}>
        Cancel
      </button>
      {wrong !== '' && (
        <span className="bad" role="alert">
          {wrong}
        </span>
      )}
    </form>
  );
}
