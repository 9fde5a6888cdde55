// Dead letters, newest first: when, from where, why, and how it begins. One unfolds to the whole.
import { useState, type ReactNode } from 'react';
import type { DeadLetter } from '../io/contract-letters';
import { bytes, clockTime, count, day, moment } from '../logic/format';
import { ChevronIcon } from './icons';

export interface LetterListProps {
  letters: readonly DeadLetter[];
  onHost(host: string): void;
  /** What an unfolded one shows. */
  children(letter: DeadLetter): ReactNode;
}

export function LetterList({ letters, onHost, children }: LetterListProps) {
  return (
    <ol className="card log-list" aria-label="Dead letters" data-testid="letters">
      {letters.map((letter) => (
        <Row key={letter.id} letter={letter} onHost={onHost}>
          {children}
        </Row>
      ))}
    </ol>
  );
}

interface RowProps {
  letter: DeadLetter;
  onHost(host: string): void;
  children(letter: DeadLetter): ReactNode;
}

function Row({ letter, onHost, children }: RowProps) {
  const [open, setOpen] = useState(false);
  const { host } = letter;
  return (
    <li className="log-line letter" data-letter={letter.id}>
      <div className="log-head letter-head">
        <time dateTime={new Date(letter.at).toISOString()} title={moment(letter.at)}>
          <span className="log-day">{day(letter.at)} </span>
          {clockTime(letter.at, true)}
        </time>
        <span className="letter-stream">{letter.stream}</span>
        {host === null ? (
          <span className="missing">no host</span>
        ) : (
          <button type="button" className="log-origin" onClick={() => onHost(host)} title={`Only ${host}`}>
            {host}
          </button>
        )}
      </div>
      <button type="button" className="log-text letter-text" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className="letter-why">
          <span className="letter-reason">{letter.reason}</span>
          {!open && <span className="letter-preview">{letter.preview ?? 'Too large for a preview.'}</span>}
        </span>
        <span className="letter-size">
          {bytes(letter.size)}
          {letter.retries > 0 && <span className="log-note">retried {count(letter.retries)} ×</span>}
        </span>
        <ChevronIcon />
      </button>
      {open && children(letter)}
    </li>
  );
}
