// What the agent saw when it told of the breach: the largest processes, the filesystem and what fills it,
// the hosts of a group.
import { Link } from 'wouter';
import type { AlertContext, Ticket } from '../io/contract-alerts';
import { usedPercent } from '../logic/charts';
import { directoryRows } from '../logic/directories';
import { bytes, count, orMissing, percent } from '../logic/format';

export function TicketContext({ ticket }: { ticket: Ticket }) {
  const { processes, filesystem, directories, hosts } = ticket.context;
  if (processes.length === 0 && filesystem === null && directories.length === 0 && hosts.length === 0) return null;
  return (
    <>
      {hosts.length > 0 && <Hosts hosts={hosts} number={ticket.hosts_count ?? hosts.length} />}
      {filesystem && <FullFilesystem filesystem={filesystem} />}
      {directories.length > 0 && <Directories context={ticket.context} />}
      {processes.length > 0 && <Processes processes={processes} />}
    </>
  );
}

function Hosts({ hosts, number }: { hosts: readonly string[]; number: number }) {
  return (
    <section className="card table-card" aria-label="Hosts">
      <h3>Hosts</h3>
      <ul className="host-chips">
        {hosts.map((host) => (
          <li key={host}>
            <Link className="host-chip" href={`/hosts/${host}`}>
              {host}
            </Link>
          </li>
        ))}
        {number > hosts.length && <li className="quiet">and {count(number - hosts.length)} more</li>}
      </ul>
    </section>
  );
}

function FullFilesystem({ filesystem: { mount, device, used_bytes, available_bytes } }: { filesystem: NonNullable<AlertContext['filesystem']> }) {
  return (
    <section className="card table-card" aria-label="Filesystem">
      <h3>Filesystem</h3>
      <p className="ticket-line">
        <code>{mount}</code> {device !== '' && <span className="quiet">on {device}</span>}: {percent(usedPercent(used_bytes, available_bytes))} used, {bytes(used_bytes)} of {bytes(used_bytes + available_bytes)}; {bytes(available_bytes)} are left.
      </p>
    </section>
  );
}

function Directories({ context }: { context: AlertContext }) {
  return (
    <section className="card table-card" aria-label="Largest directories">
      <h3>Largest directories</h3>
      <div className="table-scroll">
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">Directory</th>
              <th scope="col" className="number">Size on disk</th>
              <th scope="col" className="number">Of used space</th>
            </tr>
          </thead>
          <tbody>
            {directoryRows(context).map((row) => (
              <tr key={row.path}>
                <th scope="row" className="ellipsis" title={row.path}><code>{row.path}</code></th>
                <td className="number">{bytes(row.bytes)}</td>
                <td className="number">{orMissing(row.usedPercent, percent)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {context.directories_partial && <p className="ticket-line quiet">Incomplete: some directories could not be read, or the scan reached its limit.</p>}
    </section>
  );
}

function Processes({ processes }: { processes: AlertContext['processes'] }) {
  return (
    <section className="card table-card" aria-label="Largest processes">
      <h3>Largest processes when it began</h3>
      <div className="table-scroll">
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">Process</th>
              <th scope="col" className="number">PID</th>
              <th scope="col" className="number">CPU</th>
              <th scope="col" className="number">Memory</th>
              <th scope="col" className="wide-only">User</th>
            </tr>
          </thead>
          <tbody>
            {processes.map((process) => (
              <tr key={process.pid}>
                <th scope="row" title={process.command}>{process.name}</th>
                <td className="number">{process.pid}</td>
                <td className="number">{percent(process.cpu_percent)}</td>
                <td className="number">{bytes(process.memory_bytes)}</td>
                <td className="wide-only">{process.user}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
