// What a ticket says and what it advises: plain text, with the lines as they were written.
import type { Ticket } from '../io/contract-alerts';

export function TicketTexts({ ticket: { description, recommendation } }: { ticket: Ticket }) {
  if (description === '' && recommendation === '') return null;
  return (
    <section className="card ticket-texts" aria-label="What it is about">
      {description !== '' && <p className="ticket-text">{description}</p>}
      {recommendation !== '' && (
        <div className="ticket-advice">
          <h3>What to do</h3>
          <p className="ticket-text">{recommendation}</p>
        </div>
      )}
    </section>
  );
}
