// The tables below the charts: the busiest processes by CPU and by memory, and the filesystems.
import type { Filesystem, Process } from '../io/contract';
import { usedPercent } from '../logic/charts';
import { bytes, percent } from '../logic/format';
import { Meter } from './parts';

export interface HostTablesProps {
  topCpu: readonly Process[];
  topMemory: readonly Process[];
  filesystems: readonly Filesystem[];
}

export function HostTables({ topCpu, topMemory, filesystems }: HostTablesProps) {
  return (
    <div className="tables">
      <ProcessTable title="Processes by CPU" processes={topCpu} />
      <ProcessTable title="Processes by memory" processes={topMemory} />
      <FilesystemTable filesystems={filesystems} />
    </div>
  );
}

function ProcessTable({ title, processes }: { title: string; processes: readonly Process[] }) {
  return (
    <section className="card table-card" aria-label={title}>
      <h3>{title}</h3>
      {processes.length === 0 ? (
        <p className="table-empty">No process list has arrived yet.</p>
      ) : (
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">Process</th>
              <th scope="col" className="number">PID</th>
              <th scope="col" className="number" title="100 % is one core">CPU</th>
              <th scope="col" className="number">Memory</th>
            </tr>
          </thead>
          <tbody>
            {processes.map((process) => (
              <tr key={process.pid}>
                <th scope="row" className="ellipsis" title={process.name}>{process.name}</th>
                <td className="number quiet">{process.pid}</td>
                <td className="number">{percent(process.cpu_percent)}</td>
                <td className="number">{bytes(process.memory_bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function FilesystemTable({ filesystems }: { filesystems: readonly Filesystem[] }) {
  return (
    <section className="card table-card table-wide" aria-label="Filesystems">
      <h3>Filesystems</h3>
      {filesystems.length === 0 ? (
        <p className="table-empty">This host reports no filesystem.</p>
      ) : (
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">Mounted on</th>
              <th scope="col" className="wide-only">Device</th>
              <th scope="col" className="wide-only">Type</th>
              <th scope="col" className="number">Size</th>
              <th scope="col" className="number">Free</th>
              <th scope="col" className="table-meter">Used</th>
            </tr>
          </thead>
          <tbody>
            {filesystems.map((filesystem) => (
              <tr key={filesystem.mount}>
                <th scope="row" className="ellipsis" title={filesystem.mount}>{filesystem.mount}</th>
                <td className="quiet ellipsis wide-only" title={filesystem.device}>{filesystem.device}</td>
                <td className="quiet wide-only">{filesystem.fs_type}</td>
                <td className="number">{bytes(filesystem.total_bytes)}</td>
                <td className="number">{bytes(filesystem.available_bytes)}</td>
                <td className="number table-meter">
                  <Meter value={usedPercent(filesystem.used_bytes, filesystem.available_bytes)} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
