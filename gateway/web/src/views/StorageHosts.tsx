// What each host takes, the largest first. These are estimates and say so.
import { Link } from 'wouter';
import type { HostSize } from '../io/contract-storage';
import { asSentence, bytes } from '../logic/format';
import { about, partOf } from '../logic/storage';
import { NumberCell, ShareBar } from './parts';

export interface StorageHostsProps {
  hosts: readonly HostSize[];
  /** How the estimate is made. */
  method: string;
  /** Null where there are no more. */
  onMore: (() => void) | null;
  moreBusy: boolean;
}

export function StorageHosts({ hosts, method, onMore, moreBusy }: StorageHostsProps) {
  const largest = hosts[0]?.bytes ?? 0;
  if (hosts.length === 0) return null;
  return (
    <section className="card table-card" aria-label="By host">
      <h3>By host, estimated</h3>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Host</th>
            <th scope="col" className="wide-only" aria-label="Beside the largest" />
            <th scope="col" className="number">Size</th>
            <th scope="col" className="number">Rows a day</th>
          </tr>
        </thead>
        <tbody>
          {hosts.map((host) => (
            <tr key={host.id}>
              <th scope="row" className="ellipsis host-cell" title={host.id}>
                <Link href={`/hosts/${host.id}`}>{host.id}</Link>
              </th>
              <td className="share-cell wide-only">
                <ShareBar part={partOf(host.bytes, largest)} />
              </td>
              <td className="number">≈ {bytes(host.bytes)}</td>
              <NumberCell text={about(host.rows_per_day)} />
            </tr>
          ))}
        </tbody>
      </table>
      {onMore && (
        <button type="button" className="button table-more" onClick={onMore} disabled={moreBusy}>
          Show more hosts
        </button>
      )}
      <p className="table-note">{asSentence(method)}</p>
    </section>
  );
}
