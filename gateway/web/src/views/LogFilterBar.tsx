// What to look for among log lines, and the switch to the live tail.
import { useEffect, useRef, useState } from 'react';
import { SEVERITIES, type Severity } from '../io/contract-agent';
import { readSearch } from '../logic/log-search';
import { isMoments, LAST, whenWords } from '../logic/log-time';
import type { LogFilter } from '../logic/logs';
import { PulseIcon } from './icons';
import { SearchField } from './SearchField';

export interface LogFilterBarProps {
  filter: LogFilter;
  applications: readonly string[];
  following: boolean;
  canFollow: boolean;
  paused: boolean;
  onFilter(filter: LogFilter): void;
  onFollow(on: boolean): void;
  onPause(on: boolean): void;
}

/** A pause in typing: each letter would be a search through millions of lines. */
const TYPING_MS = 300;

/** What is typed, and asked for once the typing pauses. */
function useTyped(props: LogFilterBarProps): [string, (text: string) => void] {
  const { filter } = props;
  const [text, setText] = useState(filter.text);
  // The page is drawn anew each second: that must not begin the pause anew.
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  useEffect(() => {
    if (text === filter.text || readSearch(text) === null) return;
    const timer = setTimeout(() => latest.current.onFilter({ ...latest.current.filter, text }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, filter.text]);
  return [text, setText];
}

export function LogFilterBar(props: LogFilterBarProps) {
  const { filter, applications, following, onFilter } = props;
  const [text, setText] = useTyped(props);
  const quoteIsOpen = readSearch(text) === null;
  return (
    <div className="panel-bar" role="toolbar" aria-label="Log lines">
      {props.canFollow && (
        <button type="button" className="button button-live" aria-pressed={following} onClick={() => props.onFollow(!following)} data-testid="tail-toggle">
          <PulseIcon />
          Live tail
        </button>
      )}
      {following && (
        <button type="button" className="button" aria-pressed={props.paused} onClick={() => props.onPause(!props.paused)}>
          {props.paused ? 'Go on' : 'Pause'}
        </button>
      )}
      <label className="field-inline">
        <span className="visually-hidden">Severity</span>
        <select value={filter.severity} onChange={(event) => onFilter({ ...filter, severity: event.target.value as Severity | '' })}>
          <option value="">All severities</option>
          {SEVERITIES.slice(0, -1).map((severity) => (
            <option key={severity} value={severity}>
              {severity === 'critical' ? 'Critical' : `${capitalised(severity)} and worse`}
            </option>
          ))}
        </select>
      </label>
      <label className="field-inline">
        <span className="visually-hidden">Application</span>
        <select value={filter.application} onChange={(event) => onFilter({ ...filter, application: event.target.value })}>
          <option value="">All applications</option>
          {[...new Set([...applications, filter.application])].filter((name) => name !== '').map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {!following && <TimeSelect when={filter.when} onWhen={(when) => onFilter({ ...filter, when })} />}
      <SearchField label="Search messages" value={text} onChange={setText} />
      <span className="log-hint" role="status">
        {quoteIsOpen ? 'Close the quote to search for the phrase.' : 'All words, "a phrase", -without'}
      </span>
      {filter.fields.length > 0 && (
        <div className="log-terms">
          {filter.fields.map((term) => (
            <button
              key={term}
              type="button"
              className="chip"
              aria-pressed="true"
              title="Do not ask for this field"
              onClick={() => onFilter({ ...filter, fields: filter.fields.filter((one) => one !== term) })}
            >
              {term} ×
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function TimeSelect({ when, onWhen }: { when: string; onWhen(when: string): void }) {
  return (
    <label className="field-inline">
      <span className="visually-hidden">Time</span>
      <select value={when} onChange={(event) => onWhen(event.target.value)}>
        <option value="">Any time</option>
        {LAST.map((last) => (
          <option key={last} value={last}>
            {capitalised(whenWords(last))}
          </option>
        ))}
        {isMoments(when) && <option value={when}>{whenWords(when)}</option>}
      </select>
    </label>
  );
}

function capitalised(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}
