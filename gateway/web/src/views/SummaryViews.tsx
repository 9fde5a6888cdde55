// The summary of a week or a month: which one, its totals, and a row for each rule or host.
import { Link } from 'wouter';
import type { SummaryFigures as Figures, Summary, SummaryRow } from '../io/contract-alerts';
import { inboxOf, meanOfWords, seconds, type GroupedBy, type Period, type SummaryView } from '../logic/alert-summary';
import { count } from '../logic/format';
import { whenOf } from '../logic/log-time';
import { ChevronIcon } from './icons';
import { Figure, NumberCell, ShareBar } from './parts';

export interface SummaryBarProps {
  view: SummaryView;
  /** Of which days. */
  words: string;
  neighbours: { before: number; after: number | null } | null;
  onView(view: SummaryView): void;
}

const PERIODS: readonly (readonly [period: Period, words: string])[] = [
  ['week', 'Week'],
  ['month', 'Month'],
];

const GROUPINGS: readonly (readonly [by: GroupedBy, words: string])[] = [
  ['rule', 'By rule'],
  ['host', 'By host'],
];

export function SummaryBar({ view, words, neighbours, onView }: SummaryBarProps) {
  const after = neighbours?.after ?? null;
  return (
    <div className="panel-bar">
      <div className="segmented" role="group" aria-label="Period">
        {PERIODS.map(([period, called]) => (
          <button key={period} type="button" aria-pressed={view.period === period} onClick={() => onView({ ...view, period })}>
            {called}
          </button>
        ))}
      </div>
      <div className="segmented" role="group" aria-label="Grouped">
        {GROUPINGS.map(([by, called]) => (
          <button key={by} type="button" aria-pressed={view.by === by} onClick={() => onView({ ...view, by })}>
            {called}
          </button>
        ))}
      </div>
      <div className="period-steps">
        <button type="button" className="button-icon icon-back" aria-label={`The ${view.period} before`} disabled={!neighbours} onClick={() => neighbours && onView({ ...view, at: neighbours.before })}>
          <ChevronIcon />
        </button>
        <strong data-testid="period">{words}</strong>
        <button type="button" className="button-icon" aria-label={`The ${view.period} after`} disabled={after === null} onClick={() => after !== null && onView({ ...view, at: after })}>
          <ChevronIcon />
        </button>
        {view.at !== null && (
          <button type="button" className="button" onClick={() => onView({ ...view, at: null })}>
            This {view.period}
          </button>
        )}
      </div>
    </div>
  );
}

export function SummaryFigures({ total }: { total: Figures }) {
  return (
    <section className="now summary-figures" aria-label="Totals">
      <Figure name="Alerts" value={count(total.count)} detail="opened in this time" />
      <Figure name="Total time" value={seconds(total.total_s)} detail="sum of their durations" />
      <Figure name="Time to acknowledge" value={seconds(total.mean_acknowledge_s)} detail="mean of acknowledged alerts" />
      <Figure name="Time to resolve" value={seconds(total.mean_resolve_s)} detail="mean of resolved alerts" />
    </section>
  );
}

export function SummaryTable({ summary, by, busy }: { summary: Summary; by: GroupedBy; busy: boolean }) {
  const most = Math.max(1, ...summary.items.map((row) => row.count));
  return (
    <section className={busy ? 'card table-card charts-busy' : 'card table-card'} aria-label="Summary">
      <div className="table-scroll">
        <table className="plain-table summary-table">
          <thead>
            <tr>
              <th scope="col">{by === 'rule' ? 'Rule' : 'Host'}</th>
              <th scope="col" className="number">Alerts</th>
              <th scope="col" className="wide-only summary-bar">
                <span className="visually-hidden">Of the most</span>
              </th>
              <th scope="col" className="number">Lasted</th>
              <th scope="col" className="number wide-only">Time to acknowledge</th>
              <th scope="col" className="number wide-only">Time to resolve</th>
            </tr>
          </thead>
          <tbody>
            {summary.items.map((row) => (
              <Row key={`${row.rule_id} ${row.host_id}`} row={row} by={by} most={most} when={whenOf(summary.from, summary.to)} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ row, by, most, when }: { row: SummaryRow; by: GroupedBy; most: number; when: string }) {
  const name = by === 'rule' ? (row.rule_name ?? `rule ${row.rule_id}`) : (row.host_id ?? 'groups of hosts');
  const inbox = inboxOf(row, by, when);
  return (
    <tr>
      <th scope="row" className="wrap">
        {inbox === null ? (
          name
        ) : (
          <Link className="text-link" href={inbox}>
            {name}
          </Link>
        )}
      </th>
      <NumberCell text={count(row.count)} />
      <td className="wide-only summary-bar">
        <ShareBar part={(row.count / most) * 100} />
      </td>
      <NumberCell text={seconds(row.total_s)} />
      <NumberCell text={seconds(row.mean_acknowledge_s)} title={meanOfWords(row.acknowledged, row)} wide />
      <NumberCell text={seconds(row.mean_resolve_s)} title={meanOfWords(row.resolved, row)} wide />
    </tr>
  );
}
