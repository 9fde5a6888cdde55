// The size of the database: its figures, and what it is made of by the kind of data.
import type { GroupKept, GroupSize, Storage } from '../io/contract-storage';
import { bytes, count, duration, MISSING, utcDay } from '../logic/format';
import { groupHint, groupWords, kept } from '../logic/retention-form';
import { about, beginOf, bytesPerRow, daysLeft, growthOf, oldestOf, partOf, timeLeft } from '../logic/storage';
import { Figure, NumberCell, ShareBar } from './parts';

const ENGINES: Record<string, string> = { plain: 'plain PostgreSQL', timescale: 'PostgreSQL with TimescaleDB' };

export function StorageFigures({ storage }: { storage: Storage }) {
  const oldest = oldestOf(storage);
  const left = daysLeft(storage);
  const growth = growthOf(storage);
  const room = storage.free_bytes === null ? '' : `${bytes(storage.free_bytes)} free${left === null ? '' : `, enough for ${timeLeft(left)}`}`;
  return (
    <section className="now now-four" aria-label="In all" data-testid="storage">
      <Figure name="Database" value={bytes(storage.database_bytes)} detail={room === '' ? (ENGINES[storage.engine] ?? storage.engine) : room} />
      <Figure name="Growth" value={growth === null ? MISSING : `${bytes(growth)} a day`} detail={growth === null ? 'known after a first whole day' : 'the mean of the last seven whole days'} />
      <Figure name="A host" value={storage.bytes_per_host === null ? MISSING : bytes(storage.bytes_per_host)} detail={`the mean of ${count(storage.hosts)} ${storage.hosts === 1 ? 'host' : 'hosts'}`} />
      <Figure name="Oldest data" value={oldest === null ? MISSING : utcDay(oldest)} detail={oldest === null ? 'nothing is stored yet' : `${duration(Math.max(0, storage.at - oldest))} ago`} />
    </section>
  );
}

export interface StorageGroupsProps {
  storage: Storage;
  /** Empty until they are known. */
  kept: readonly GroupKept[];
}

export function StorageGroups({ storage, kept: groups }: StorageGroupsProps) {
  return (
    <section className="card table-card" aria-label="By kind of data">
      <h3>By kind of data</h3>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col" className="wide-only" aria-label="Share of the database" />
            <th scope="col" className="number">Size</th>
            <th scope="col" className="number wide-only">A day</th>
            <th scope="col" className="number" title="As the database estimates them">Rows</th>
            <th scope="col" className="number wide-only" title="With indexes">A row</th>
            <th scope="col" className="number">Oldest</th>
            <th scope="col" className="number wide-only">Kept for</th>
          </tr>
        </thead>
        <tbody>
          {storage.groups.map((group) => (
            <GroupRow key={group.group} group={group} begin={beginOf(group, storage)} whole={storage.database_bytes} keepDays={groups.find((one) => one.group === group.group)?.keep_days ?? null} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function GroupRow({ group, begin, whole, keepDays }: { group: GroupSize; begin: number | null; whole: number; keepDays: number | null }) {
  return (
    <tr>
      <th scope="row">
        {groupWords(group.group)} <span className="quiet wide-only">{groupHint(group.group)}</span>
      </th>
      <td className="share-cell wide-only">
        <ShareBar part={partOf(group.bytes, whole)} />
      </td>
      <NumberCell text={bytes(group.bytes)} />
      <NumberCell text={group.bytes_per_day === null ? MISSING : bytes(group.bytes_per_day)} wide />
      <NumberCell text={about(group.rows_estimate)} />
      <NumberCell text={bytesPerRow(group)} wide />
      <NumberCell text={begin === null ? MISSING : utcDay(begin)} />
      <NumberCell text={keepDays === null ? MISSING : kept(keepDays)} wide />
    </tr>
  );
}
