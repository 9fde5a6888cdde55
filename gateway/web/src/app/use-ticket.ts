// One ticket, and what is done to it: each deed answers with the ticket as it is then. Leaves out how
// it looks.
import { useState } from 'react';
import type { TicketDeed } from '../io/api-alerts';
import type { Ticket } from '../io/contract-alerts';
import type { SilenceDraft } from '../io/contract-channels';
import { failureSentence } from '../logic/format';
import type { OutcomeLine } from '../views/AlertParts';
import { usePolled, useStore, type Polled } from './hooks';
import { useServices } from './services';

/** Events tell of changes at once; this is for what they do not tell, such as notifications. */
const TICKET_MS = 10_000;

export interface TicketWork {
  polled: Polled<Ticket>;
  ticket: Ticket | null;
  busy: boolean;
  outcome: OutcomeLine | null;
  handle(deed: TicketDeed, comment: string): void;
  /** Whether it was taken, so that the field can be emptied. */
  comment(text: string): Promise<boolean>;
  silence(draft: SilenceDraft): Promise<boolean>;
}

const DONE: Record<TicketDeed, string> = { acknowledge: 'Acknowledged.', unacknowledge: 'The acknowledgement was taken back.', resolve: 'Resolved.' };

export function useTicket(id: number): TicketWork {
  const { alertApi, alerts } = useServices();
  const { revision } = useStore(alerts.state);
  const polled = usePolled({ key: String(id), fetch: (signal) => alertApi.ticket(id, signal), nextMs: () => TICKET_MS, again: revision });
  // What a deed answered, until what is asked for anew is there.
  const [done, setDone] = useState<{ ticket: Ticket; instead: Ticket | null } | null>(null);
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<OutcomeLine | null>(null);
  const ticket = done && done.instead === polled.value ? done.ticket : polled.value;

  const attempt = async (work: () => Promise<Ticket | null>, words: string): Promise<boolean> => {
    setBusy(true);
    setOutcome(null);
    try {
      const after = await work();
      if (after) setDone({ ticket: after, instead: polled.value });
      setOutcome(words === '' ? null : { good: true, words });
      alerts.touch();
      return true;
    } catch (error) {
      setOutcome({ good: false, words: failureSentence(error) });
      return false;
    } finally {
      setBusy(false);
    }
  };
  return {
    polled,
    ticket,
    busy,
    outcome,
    handle: (deed, comment) => void attempt(() => alertApi.handleTicket(id, deed, comment), DONE[deed]),
    comment: (text) => attempt(() => alertApi.comment(id, text), ''),
    silence: (draft) => attempt(async () => (await alertApi.addSilence(draft), null), 'Silenced. The silence stands among the silences, where it can be ended.'),
  };
}
