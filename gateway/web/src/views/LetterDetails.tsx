// A dead letter, whole: what is known of it, its headers, its body decoded, as text or byte by byte,
// and what can be done about it.
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import type { LetterDetail } from '../io/contract-letters';
import { bytes, count, moment } from '../logic/format';
import { BODY_VIEWS, bodyText, firstView, payloadOf, sizeWords, type BodyView } from '../logic/letters';
import { FactRows, type FactRow } from './FactRows';

export interface LetterDetailsProps {
  letter: LetterDetail;
  mayAct: boolean;
  busy: boolean;
  onRetry(): void;
  onDiscard(): void;
  onReason(reason: string): void;
}

export function LetterDetails({ letter, mayAct, busy, onRetry, onDiscard, onReason }: LetterDetailsProps) {
  const isCut = letter.kept < letter.size;
  return (
    <>
      <div className="letter-parts">
        <Facts letter={letter} />
        <Headers headers={letter.headers} />
      </div>
      <Body letter={letter} />
      <div className="letter-deeds">
        {mayAct && (
          <>
            <button type="button" className="button" disabled={busy || isCut} onClick={onRetry} title={isCut ? 'Not all of it was kept, so it cannot be published again' : 'Publish it again'}>
              Retry
            </button>
            <button type="button" className="button button-danger" disabled={busy} onClick={onDiscard}>
              Discard…
            </button>
          </>
        )}
        <button type="button" className="button" onClick={() => onReason(letter.reason)}>
          All with this reason
        </button>
      </div>
    </>
  );
}

function Facts({ letter }: { letter: LetterDetail }) {
  const rows: FactRow[] = [
    ['Number', String(letter.id)],
    ['Set aside', moment(letter.at)],
    ['Subject', <code key="subject">{letter.subject}</code>],
    ['Host', letter.host && <Link key="host" className="text-link" href={`/hosts/${encodeURIComponent(letter.host)}`}>{letter.host}</Link>],
    ['Message', letter.message_id && <code key="message">{letter.message_id}</code>],
    ['Content type', letter.content_type ?? 'none given'],
    ['Size', sizeWords(letter)],
    ['Retried', letter.retries === 0 ? 'never' : `${count(letter.retries)} ×`],
  ];
  return (
    <section aria-label="What is known of it">
      <h3>Message</h3>
      <FactRows rows={rows} />
    </section>
  );
}

function Headers({ headers }: { headers: Record<string, string[]> }) {
  const rows = Object.entries(headers).map(([name, values]): FactRow => [name, values.join(', ')]);
  return (
    <section aria-label="Headers" className="letter-headers">
      <h3>Headers</h3>
      {rows.length === 0 ? <p className="quiet">It has none.</p> : <FactRows rows={rows} />}
    </section>
  );
}

const VIEW_WORDS: Record<BodyView, string> = { decoded: 'Decoded', text: 'Text', hex: 'Hex' };

function Body({ letter }: { letter: LetterDetail }) {
  const payload = useMemo(() => payloadOf(letter.body_base64), [letter.body_base64]);
  const [chosen, setChosen] = useState<BodyView>(() => firstView(letter.body, payload));
  const { text, isCut } = useMemo(() => bodyText(chosen, letter.body, payload), [chosen, letter.body, payload]);
  return (
    <section aria-label="Body" className="letter-body">
      <div className="letter-body-head">
        <h3>Body</h3>
        <div className="segmented" role="group" aria-label="Show the body as">
          {BODY_VIEWS.filter((view) => view !== 'decoded' || letter.body !== null).map((view) => (
            <button key={view} type="button" aria-pressed={view === chosen} onClick={() => setChosen(view)}>
              {VIEW_WORDS[view]}
            </button>
          ))}
        </div>
        {letter.body === null && payload.length > 0 && <span className="quiet">It cannot be decoded.</span>}
      </div>
      {payload.length === 0 ? (
        <p className="quiet">It is empty.</p>
      ) : (
        <pre className="letter-payload" data-testid="letter-payload">{text}</pre>
      )}
      {isCut && <p className="quiet">Only the beginning is shown of {bytes(payload.length)}.</p>}
    </section>
  );
}
