// Log lines, newest first. A line unfolds to its whole text and its fields.
import { memo, useState } from 'react';
import { Link } from 'wouter';
import type { LogLine } from '../io/contract-agent';
import { bytes, clockTime, count, day, moment } from '../logic/format';
import { fieldTerm } from '../logic/log-search';
import { headline } from '../logic/logs';
import { ChevronIcon } from './icons';

type ShownLine = LogLine & { id: string; host?: string };

export interface LogListProps {
  lines: readonly ShownLine[];
  withHost: boolean;
  onApplication(name: string): void;
  onField(term: string): void;
}

export function LogList({ lines, withHost, onApplication, onField }: LogListProps) {
  return (
    <ol className="card log-list" aria-label="Log lines" data-testid="log-lines">
      {lines.map((line) => (
        <Line key={line.id} line={line} withHost={withHost} onApplication={onApplication} onField={onField} />
      ))}
    </ol>
  );
}

interface LineProps {
  line: ShownLine;
  withHost: boolean;
  onApplication(name: string): void;
  onField(term: string): void;
}

const Line = memo(function Line({ line, withHost, onApplication, onField }: LineProps) {
  const [open, setOpen] = useState(false);
  const { text, more } = headline(line);
  return (
    <li className={`log-line log-${line.severity}`} data-severity={line.severity}>
      <div className="log-head">
        <time dateTime={new Date(line.at).toISOString()} title={moment(line.at)}>
          <span className="log-day">{day(line.at)} </span>
          {clockTime(line.at, true)}
        </time>
        <span className="log-severity">{line.severity}</span>
        {withHost && line.host && (
          <Link className="log-origin" href={`/hosts/${line.host}/logs`}>
            {line.host}
          </Link>
        )}
        <button type="button" className="log-origin" onClick={() => onApplication(line.application)} title={`Only ${line.application} (${line.source})`}>
          {line.application}
        </button>
      </div>
      <button type="button" className="log-text" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className={open ? 'log-message log-message-open' : 'log-message'}>{open ? line.message : text}</span>
        {line.suppressed > 0 && <span className="log-note">stands for {count(line.suppressed)} lines</span>}
        {more && <ChevronIcon />}
      </button>
      {open && <Details line={line} onField={onField} />}
    </li>
  );
});

function Details({ line, onField }: { line: ShownLine; onField(term: string): void }) {
  return (
    <dl className="log-details">
      <div>
        <dt>Read from</dt>
        <dd>{line.source}</dd>
      </div>
      {Object.entries(line.fields).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <button type="button" className="log-field" onClick={() => onField(fieldTerm(name, value))} title={`Only lines with this ${name}`}>
              {value === '' ? '(empty)' : value}
            </button>
          </dd>
        </div>
      ))}
      {line.truncated_bytes > 0 && (
        <div>
          <dt>Cut off</dt>
          <dd>{bytes(line.truncated_bytes)}</dd>
        </div>
      )}
    </dl>
  );
}
