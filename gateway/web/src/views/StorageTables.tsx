// Every table with its size; the largest at first, the rest on demand.
import { useState } from 'react';
import type { TableSize } from '../io/contract-storage';
import { bytes, count, MISSING, utcDay } from '../logic/format';
import { groupWords } from '../logic/retention-form';
import { about, bytesPerRow } from '../logic/storage';
import { NumberCell } from './parts';

/** What matters is among the largest. */
const FIRST = 10;

export function StorageTables({ tables }: { tables: readonly TableSize[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? tables : tables.slice(0, FIRST);
  return (
    <section className="card table-card" aria-label="By table">
      <h3>By table</h3>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Table</th>
            <th scope="col" className="wide-only">Kind</th>
            <th scope="col" className="number">Size</th>
            <th scope="col" className="number wide-only">A day</th>
            <th scope="col" className="number" title="As the database estimates them">Rows</th>
            <th scope="col" className="number wide-only" title="With indexes">A row</th>
            <th scope="col" className="number wide-only">Oldest</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((table) => (
            <tr key={table.table}>
              <th scope="row" className="ellipsis" title={table.table}>
                <code>{table.table}</code>
              </th>
              <td className="quiet wide-only">{groupWords(table.group)}</td>
              <NumberCell text={bytes(table.bytes)} />
              <NumberCell text={table.bytes_per_day === null ? MISSING : bytes(table.bytes_per_day)} wide />
              <NumberCell text={about(table.rows_estimate)} />
              <NumberCell text={bytesPerRow(table)} wide />
              <NumberCell text={table.oldest === null ? MISSING : utcDay(table.oldest)} wide />
            </tr>
          ))}
        </tbody>
      </table>
      {tables.length > FIRST && (
        <button type="button" className="button table-more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show the largest only' : `Show all ${count(tables.length)} tables`}
        </button>
      )}
      <p className="table-note">Sizes are with indexes. Rows are the database’s own estimate; nothing is counted.</p>
    </section>
  );
}
