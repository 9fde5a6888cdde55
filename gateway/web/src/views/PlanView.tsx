// What new rules would remove, before they are set: first as a sentence, then by kind of data, then
// table by table for those who want to know.
import type { Plan } from '../io/contract-storage';
import { bytes, count, MISSING, utcDay } from '../logic/format';
import { days, idleLabels, kept, labelLosses, lossByGroup, lossByTable, lossWords, planSentence, type TableLoss } from '../logic/retention-form';
import { about } from '../logic/storage';
import { CheckIcon, WarningIcon } from './icons';

export function PlanView({ plan }: { plan: Plan }) {
  const groups = lossByGroup(plan);
  const labelled = labelLosses(plan);
  const harmless = groups.length === 0 && labelled.length === 0;
  return (
    <section className={harmless ? 'plan plan-harmless' : 'plan'} aria-label="What this would remove" data-testid="plan">
      <p className="plan-sentence" role="status">
        {harmless ? <CheckIcon /> : <WarningIcon />}
        {planSentence(plan)}
      </p>
      {!harmless && (
        <ul>
          {groups.map((loss) => (
            <li key={loss.group}>{lossWords(loss)}</li>
          ))}
          {labelled.map((words) => (
            <li key={words}>{words}</li>
          ))}
        </ul>
      )}
      {idleLabels(plan).map((label) => (
        <p key={label}>No host has the label {label} now.</p>
      ))}
      {!harmless && <Tables plan={plan} />}
    </section>
  );
}

function Tables({ plan }: { plan: Plan }) {
  return (
    <details className="plan-tables">
      <summary>Table by table</summary>
      <div className="table-scroll">
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">Table</th>
              <th scope="col" className="number wide-only">Kept for</th>
              <th scope="col" className="number">Removed</th>
              <th scope="col" className="number wide-only">Before</th>
              <th scope="col" className="number">Rows</th>
              <th scope="col" className="number">Size</th>
            </tr>
          </thead>
          <tbody>
            {lossByTable(plan).map((loss) => (
              <LossRow key={`${loss.table} ${loss.label} ${loss.before}`} loss={loss} />
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function LossRow({ loss: { table, label, keep_days, days: number, before, rows, bytes: size } }: { loss: TableLoss }) {
  return (
    <tr>
      <th scope="row">
        <code>{table}</code>
        {label !== null && <span className="quiet"> of {label}</span>}
      </th>
      <td className="number wide-only">{kept(keep_days)}</td>
      <td className="number">{number === 0 ? 'rows' : days(number)}</td>
      <td className="number wide-only">{utcDay(before)}</td>
      <td className="number">{label !== null && rows > 0 ? `up to ${count(rows)}` : about(rows)}</td>
      <td className="number">{size === null ? MISSING : bytes(size)}</td>
    </tr>
  );
}
