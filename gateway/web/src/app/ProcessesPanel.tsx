// The processes of a host: the largest ones as they were stored last, or all of them, asked for now.
import { useState } from 'react';
import type { ProcessList } from '../io/contract-agent';
import { ordered, type ProcessKey } from '../logic/processes';
import { ProcessTable } from '../views/ProcessTable';
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { usePolled } from './hooks';
import { useServices } from './services';

/** As often as frames are published. */
const STORED_MS = 10_000;
/** A full list costs the agent some milliseconds. */
const LIVE_MS = 3_000;

export function ProcessesPanel({ id, now }: { id: string; now: number }) {
  const { api } = useServices();
  const [live, setLive] = useState(false);
  const [key, setKey] = useState<ProcessKey>('cpu');
  const [text, setText] = useState('');
  const list = usePolled<ProcessList>({
    key: `${id}#${live}`,
    fetch: (signal) => api.processes(id, live, signal),
    nextMs: () => (live ? LIVE_MS : STORED_MS),
    keepPrevious: true,
  });
  if (!list.value) {
    if (list.failure !== null) return <InlineFailure what="The processes could not be loaded" failure={list.failure} onRetry={list.retry} />;
    return (
      <>
        <LoadingWords>Loading the processes</LoadingWords>
        <Skeleton className="card skeleton-chart" />
      </>
    );
  }
  return (
    <>
      {list.failure !== null && <InlineFailure what="The list is old" failure={list.failure} onRetry={list.retry} />}
      <ProcessTable
        list={list.value}
        processes={ordered(list.value.items, key, text)}
        sortedBy={key}
        text={text}
        live={live}
        now={now}
        onSort={setKey}
        onText={setText}
        onLive={setLive}
      />
    </>
  );
}
