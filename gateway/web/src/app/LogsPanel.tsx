// The log lines of a host, or of all: stored ones by what is asked for, or the live tail of one
// host. The filter is kept in the address.
import { useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import { moment } from '../logic/format';
import { barsOf } from '../logic/log-bars';
import { whenOf, whenWords } from '../logic/log-time';
import { applicationsOf, logFilterFrom, logQueryOf, passes, withField, type LogFilter } from '../logic/logs';
import { LogFilterBar } from '../views/LogFilterBar';
import { LogHistogram } from '../views/LogHistogram';
import { LogList } from '../views/LogList';
import { TailState } from '../views/TailState';
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { useLineCounts, useStoredLines, useTail, type LiveTail, type StoredLines } from './use-logs';

export function LogsPanel({ host }: { host: string | null }) {
  const [query, setQuery] = useSearchParams();
  const filter = useMemo(() => logFilterFrom(query), [query]);
  const [following, setFollowing] = useState(false);
  const stored = useStoredLines(host, filter, !following);
  const counts = useLineCounts(host, filter, !following);
  const live = useTail(host, following);
  const [known, setKnown] = useState<readonly string[]>([]);
  const lines = following ? live.tail.lines : stored.lines;
  const applications = useMemo(() => [...new Set([...known, ...applicationsOf(lines)])].toSorted(), [known, lines]);

  const show = (next: LogFilter) => {
    // A filter must not shorten the list of what can be chosen.
    setKnown(applications);
    setQuery(logQueryOf(next), { replace: true });
  };
  return (
    <>
      <LogFilterBar
        filter={filter}
        applications={applications}
        following={following}
        canFollow={host !== null}
        paused={live.tail.paused}
        onFilter={show}
        onFollow={setFollowing}
        onPause={live.pause}
      />
      {!following && counts !== null && <LogHistogram bars={barsOf(counts)} words={whenWords(filter.when)} onZoom={(from, to) => show({ ...filter, when: whenOf(from, to) })} />}
      {following ? <Following live={live} filter={filter} onFilter={show} /> : <Stored stored={stored} host={host} filter={filter} onFilter={show} />}
    </>
  );
}

function Following({ live, filter, onFilter }: { live: LiveTail; filter: LogFilter; onFilter(filter: LogFilter): void }) {
  const { tail, pause } = live;
  const shown = tail.lines.filter((line) => passes(filter, line));
  return (
    <>
      <TailState tail={tail} shown={shown.length} onResume={() => pause(false)} />
      {shown.length > 0 && <LogList lines={shown} withHost={false} onApplication={(application) => onFilter({ ...filter, application })} onField={(field) => onFilter(withField(filter, field))} />}
    </>
  );
}

interface StoredProps {
  stored: StoredLines;
  host: string | null;
  filter: LogFilter;
  onFilter(filter: LogFilter): void;
}

function Stored({ stored, host, filter, onFilter }: StoredProps) {
  const { lines, loading, failure, older, olderBusy, retry, searchedUntil } = stored;
  if (loading) {
    return (
      <>
        <LoadingWords>Loading the log lines</LoadingWords>
        <Skeleton className="card skeleton-chart" />
      </>
    );
  }
  const asked = logQueryOf(filter).size > 0;
  return (
    <>
      {failure !== null && <InlineFailure what="The log lines could not be loaded" failure={failure} onRetry={retry} />}
      {lines.length === 0 && failure === null && searchedUntil === null && (
        <p className="card panel-empty">{asked ? 'No stored line matches.' : 'No line that matters has been logged.'}</p>
      )}
      {lines.length > 0 && <LogList lines={lines} withHost={host === null} onApplication={(application) => onFilter({ ...filter, application })} onField={(field) => onFilter(withField(filter, field))} />}
      {searchedUntil !== null && (
        <p className="inline-warning" role="status" data-testid="searched-until">
          There are many lines: all since {moment(searchedUntil)} were searched.
        </p>
      )}
      {older && (
        <button type="button" className="button panel-more" onClick={older} disabled={olderBusy}>
          {searchedUntil === null ? 'Show older lines' : 'Search further back'}
        </button>
      )}
    </>
  );
}
