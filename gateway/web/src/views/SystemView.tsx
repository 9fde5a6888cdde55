// The machine: what the host says it is.
import type { SystemInfo } from '../io/contract-agent';
import { ago, bytes, count, duration, moment } from '../logic/format';
import { FactRows, type FactRow } from './FactRows';

export function SystemView({ system, at, now }: { system: SystemInfo; at: number; now: number }) {
  const cores = `${count(system.cores_physical)} cores, ${count(system.cores_logical)} threads`;
  const rows: FactRow[] = [
    ['Name', system.hostname],
    ['Location', system.location],
    ['Labels', Object.entries(system.labels).map(([name, value]) => `${name}=${value}`).join(', ')],
    ['Operating system', system.os],
    ['Kernel', `${system.kernel} (${system.architecture})`],
    ['Processor', system.cpu_model],
    ['Cores', cores],
    ['Memory', bytes(system.memory_bytes)],
    ['Virtualisation', system.virtualisation],
    ['Started', `${moment(system.booted_at)}, ${duration(Math.max(0, now - system.booted_at))} ago`],
    ['Agent', system.agent_version],
    ['Signed in', system.users.join(', ')],
  ];
  return (
    <>
      <section className="card table-card" aria-label="System" data-testid="system">
        <h3>System</h3>
        <FactRows rows={rows} />
        <p className="table-empty" title={moment(at)}>As the host found it {ago(at, now)}</p>
      </section>
      {(system.interfaces.length > 0 || system.disks.length > 0) && <Hardware system={system} />}
    </>
  );
}

function Hardware({ system }: { system: SystemInfo }) {
  return (
    <section className="card table-card" aria-label="Addresses and disks">
      {system.interfaces.length > 0 && (
        <>
          <h3>Addresses</h3>
          <table className="plain-table">
            <tbody>
              {system.interfaces.map((one) => (
                <tr key={one.name}>
                  <th scope="row">{one.name}</th>
                  <td className="wrap">
                    {one.addresses.map((address) => (
                      <code key={address}>{address} </code>
                    ))}
                  </td>
                  <td className="quiet wide-only">
                    <code>{one.mac}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
      {system.disks.length > 0 && (
        <>
          <h3 className="second-heading">Disks</h3>
          <table className="plain-table">
            <tbody>
              {system.disks.map((disk) => (
                <tr key={disk.device}>
                  <th scope="row">{disk.device}</th>
                  <td className="ellipsis">{disk.model}</td>
                  <td className="quiet">{disk.rotational ? 'spinning' : 'solid state'}</td>
                  <td className="number">{bytes(disk.bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </section>
  );
}
