// The workers, each with its channels: how far behind, how fast, in which batches, how long a commit
// takes, and what holds it.
import type { ChannelWork, Trouble, Worker } from '../io/contract-pipeline';
import { ago, count, duration, inUnit, moment, perSecond } from '../logic/format';
import { lagTime } from '../logic/pipeline';
import { Counted } from './PipelineTables';

/** Workers tell the database how they are: `known` is false while it cannot pass it on. */
export function WorkerTable({ workers, known, now }: { workers: readonly Worker[]; known: boolean; now: number }) {
  return (
    <section className="card table-card" aria-label="Workers">
      <h3>Workers</h3>
      {workers.length === 0 ? (
        <p className="table-empty">No worker has been seen yet.</p>
      ) : (
        <table className="plain-table worker-table">
          <thead>
            <tr>
              <th scope="col">Channel</th>
              <th scope="col" className="number" title="How long the oldest message of the newest batch had waited">Lag</th>
              <th scope="col" className="number" title="Messages a second, over the last minute">Rate</th>
              <th scope="col" className="number wide-only" title="Rows a second, over the last minute">Rows</th>
              <th scope="col" className="number wide-only" title="Messages of the newest batch">Batch</th>
              <th scope="col" className="number wide-only" title="Half of the commits of the last minute took no longer">Commit p50</th>
              <th scope="col" className="number" title="99 of 100 commits of the last minute took no longer"><span className="wide-only">Commit </span>p99</th>
              <th scope="col" className="number wide-only" title="Delivered more than once since its start">Redelivered</th>
              <th scope="col" className="number wide-only" title="Were stored already, since its start">Duplicates</th>
              <th scope="col" className="number wide-only" title="Could not be stored, since its start">Set aside</th>
            </tr>
          </thead>
          {workers.map((worker) => (
            <WorkerRows key={worker.id} worker={worker} known={known} now={now} />
          ))}
        </table>
      )}
    </section>
  );
}

function statusOf(worker: Worker, known: boolean): string {
  if (worker.gone) return 'offline';
  if (!known) return 'unknown';
  return worker.held ? 'held' : 'online';
}

function WorkerRows({ worker, known, now }: { worker: Worker; known: boolean; now: number }) {
  // The last figures of one that is gone say nothing of now.
  const channels = worker.gone ? [] : Object.entries(worker.channels);
  return (
    <tbody data-worker={worker.kind}>
      <tr className="worker-row">
        <th scope="rowgroup" colSpan={10}>
          <div className="worker-head">
            <span className={`status status-${statusOf(worker, known)}`}>
              <span className="status-dot" aria-hidden="true" />
              {worker.kind}
            </span>
            <span className="quiet" title={`Version ${worker.version}, worker ${worker.id}`}>
              {worker.pid} on {worker.hostname}
            </span>
            <span className="quiet worker-seen" title={`Started ${moment(worker.started_at)}, seen ${moment(worker.seen_at)}`}>
              {worker.gone ? 'Gone, last seen' : `Up ${duration(Math.max(0, worker.seen_at - worker.started_at))}, seen`} {ago(worker.seen_at, now)}
            </span>
          </div>
          {worker.held && !worker.gone && <TroubleWords className="worker-held" words="Held" trouble={worker.held} now={now} />}
        </th>
      </tr>
      {channels.map(([channel, work]) => (
        <ChannelRows key={channel} channel={channel} work={work} isHeld={worker.held !== null} now={now} />
      ))}
      {channels.length === 0 && !worker.gone && (
        <tr>
          <td colSpan={10} className="quiet">It has stored nothing yet.</td>
        </tr>
      )}
    </tbody>
  );
}

function ChannelRows({ channel, work, isHeld, now }: { channel: string; work: ChannelWork; isHeld: boolean; now: number }) {
  const error = isHeld ? null : work.last_error;
  return (
    <>
      <tr>
        <th scope="row">{channel}</th>
        <td className="number">{lagTime(work.lag_ms / 1000)}</td>
        <td className="number" title={`${count(work.messages)} messages since its start`}>{perSecond(work.messages_per_s)}</td>
        <td className="number wide-only">{perSecond(work.rows_per_s)}</td>
        <td className="number wide-only">{count(work.batch_messages)}</td>
        <td className="number wide-only">{inUnit('ms', work.commit_ms_p50)}</td>
        <td className="number">{inUnit('ms', work.commit_ms_p99)}</td>
        <Counted className="number wide-only" value={work.redelivered} />
        <Counted className="number wide-only" value={work.duplicates} />
        <Counted className="number wide-only" value={work.dead_letters} />
      </tr>
      {error && (
        <tr className="worker-error">
          <td colSpan={10}>
            <TroubleWords className="quiet" words="Last error" trouble={error} now={now} />
          </td>
        </tr>
      )}
    </>
  );
}

function TroubleWords({ className, words, trouble, now }: { className: string; words: string; trouble: Trouble; now: number }) {
  return (
    <p className={`worker-trouble ${className}`} title={moment(trouble.at)}>
      {words} {words === 'Held' ? `for ${duration(Math.max(0, now - trouble.at))}` : ago(trouble.at, now)}: {trouble.reason}
    </p>
  );
}
