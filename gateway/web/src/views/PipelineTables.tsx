// The broker in detail: what its streams hold against their limits, and what its consumers have
// still to take.
import type { ConsumerReport, StreamReport } from '../io/contract-pipeline';
import { ago, bytes, bytesPerSecond, count, duration, inUnit, MISSING, moment } from '../logic/format';
import { fillOf, holdTime, lagTime } from '../logic/pipeline';
import { Meter } from './parts';

export function StreamTable({ streams, now }: { streams: readonly StreamReport[]; now: number }) {
  return (
    <section className="card table-card" aria-label="Streams">
      <h3>Streams</h3>
      {streams.length === 0 ? (
        <p className="table-empty">The broker has not told of any stream yet.</p>
      ) : (
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">Stream</th>
              <th scope="col" className="number">Messages</th>
              <th scope="col" className="number">Size</th>
              <th scope="col" className="table-meter">Fill</th>
              <th scope="col" className="number wide-only">Limit</th>
              <th scope="col" className="number wide-only" title="A message is dropped when it is older">Kept for</th>
              <th scope="col" className="number wide-only">Incoming</th>
              <th scope="col" className="number wide-only">Oldest</th>
              <th scope="col" className="number wide-only" title="Until a message that nobody has taken would be dropped, if nothing left any more">Can hold</th>
            </tr>
          </thead>
          <tbody>
            {streams.map((stream) => (
              <StreamRow key={stream.name} stream={stream} now={now} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function StreamRow({ stream, now }: { stream: StreamReport; now: number }) {
  return (
    <tr data-stream={stream.name}>
      <th scope="row">{stream.name.toLowerCase()}</th>
      <td className="number">{count(stream.messages)}</td>
      <td className="number">{bytes(stream.bytes)}</td>
      <td className="table-meter">
        <Meter value={fillOf(stream)} title={`${bytes(stream.bytes)} of ${bytes(stream.bytes_max)}`} />
      </td>
      <td className="number quiet wide-only">{bytes(stream.bytes_max)}</td>
      <td className="number quiet wide-only">{duration(stream.age_s_max * 1000)}</td>
      <td className="number wide-only">{stream.inflow_bytes_per_s === null ? MISSING : bytesPerSecond(stream.inflow_bytes_per_s)}</td>
      <td className="number wide-only" title={stream.oldest_at === null ? undefined : moment(stream.oldest_at)}>
        {stream.oldest_at === null ? MISSING : ago(stream.oldest_at, now)}
      </td>
      <td className="number wide-only">{holdTime(stream.can_hold_s)}</td>
    </tr>
  );
}

export function ConsumerTable({ consumers }: { consumers: readonly ConsumerReport[] }) {
  return (
    <section className="card table-card" aria-label="Consumers">
      <h3>Consumers</h3>
      {consumers.length === 0 ? (
        <p className="table-empty">The broker has not told of any consumer yet.</p>
      ) : (
        <table className="plain-table consumer-table">
          <thead>
            <tr>
              <th scope="col">Consumer</th>
              <th scope="col" className="wide-only">Stream</th>
              <th scope="col" className="number" title="Not delivered to any worker yet">Pending</th>
              <th scope="col" className="number" title="Delivered, and not acknowledged yet">
                <span className="wide-only">Unacknowledged</span>
                <span className="narrow-only">Unacked</span>
              </th>
              <th scope="col" className="number" title="Delivered more than once, of those not acknowledged">
                <span className="wide-only">Redelivered</span>
                <span className="narrow-only">Redel.</span>
              </th>
              <th scope="col" className="number wide-only" title="Requests of workers that wait for messages: none means nobody is free to take any">Open requests</th>
              <th scope="col" className="number" title="Age of the oldest message that is not acknowledged">Behind</th>
            </tr>
          </thead>
          <tbody>
            {consumers.map((one) => (
              <tr key={one.name} data-consumer={one.name}>
                <th scope="row">{one.name}</th>
                <td className="quiet wide-only">{one.stream.toLowerCase()}</td>
                <Counted value={one.pending} />
                <Counted value={one.ack_pending} />
                <Counted value={one.redelivered} />
                <td className="number wide-only">{inUnit('count', one.waiting_requests)}</td>
                <td className="number">{lagTime(one.lag_s)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** A nought is quiet, so that what is not one stands out. */
export function Counted({ value, className = 'number' }: { value: number; className?: string }) {
  return <td className={className}>{value === 0 ? <span className="missing">0</span> : count(value)}</td>;
}
