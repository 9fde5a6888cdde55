// What is asked for among the dead letters, and, for who may, the two things that can be done to all
// of them.
import { isFiltered, isHostName, LETTER_STREAMS, type Deed, type LetterFilter } from '../logic/letters';
import { SearchField } from './SearchField';
import { useTyped } from './use-typed';

export interface LetterFilterBarProps {
  filter: LetterFilter;
  mayAct: boolean;
  busy: boolean;
  onFilter(filter: LetterFilter): void;
  onAll(deed: Deed): void;
}

export function LetterFilterBar({ filter, mayAct, busy, onFilter, onAll }: LetterFilterBarProps) {
  const [host, setHost] = useTyped(filter.host, (text) => (text === '' || isHostName(text)) && onFilter({ ...filter, host: text }));
  const nobody = host.trim() !== '' && !isHostName(host.trim());
  const [reason, setReason] = useTyped(filter.reason, (text) => onFilter({ ...filter, reason: text }));
  return (
    <div className="panel-bar" role="toolbar" aria-label="Dead letters">
      <label className="field-inline">
        <span className="visually-hidden">Stream</span>
        <select value={filter.stream} onChange={(event) => onFilter({ ...filter, stream: event.target.value })}>
          <option value="">All streams</option>
          {LETTER_STREAMS.map((stream) => (
            <option key={stream} value={stream}>
              {stream}
            </option>
          ))}
        </select>
      </label>
      <label className="letter-host">
        <span className="visually-hidden">Host</span>
        <input type="search" placeholder="Host" value={host} onChange={(event) => setHost(event.target.value.toLowerCase())} aria-invalid={nobody} autoCapitalize="off" spellCheck={false} />
      </label>
      <SearchField label="Search reasons" value={reason} onChange={setReason} />
      {nobody && (
        <span className="log-hint" role="status">
          Host names are made of a–z, 0–9 and dashes.
        </span>
      )}
      {mayAct && <ForAll busy={busy} offered={isFiltered(filter)} onAll={onAll} />}
    </div>
  );
}

function ForAll({ busy, offered, onAll }: { busy: boolean; offered: boolean; onAll(deed: Deed): void }) {
  // The gateway takes no "all of everything", and for a good reason.
  if (!offered) return <p className="panel-state letter-hint">Filter to retry or discard many at once.</p>;
  return (
    <div className="letter-all">
      <button type="button" className="button" disabled={busy} onClick={() => onAll('retry')}>
        Retry all that match…
      </button>
      <button type="button" className="button button-danger" disabled={busy} onClick={() => onAll('discard')}>
        Discard all that match…
      </button>
    </div>
  );
}
