// A list of processes with its order, a search and the switch between stored and live.
import type { Process } from '../io/contract';
import type { ProcessList } from '../io/contract-agent';
import { ago, bytes, bytesPerSecond, count, percent } from '../logic/format';
import { ROWS_MAX, type ProcessKey } from '../logic/processes';
import { PulseIcon } from './icons';
import { SearchField } from './SearchField';

export interface ProcessTableProps {
  list: ProcessList;
  processes: readonly Process[];
  sortedBy: ProcessKey;
  text: string;
  live: boolean;
  now: number;
  onSort(key: ProcessKey): void;
  onText(text: string): void;
  onLive(on: boolean): void;
}

const COLUMNS: { key: ProcessKey; words: string; className: string }[] = [
  { key: 'name', words: 'Process', className: '' },
  { key: 'pid', words: 'PID', className: 'number wide-only' },
  { key: 'user', words: 'User', className: 'wide-only' },
  { key: 'cpu', words: 'CPU', className: 'number' },
  { key: 'memory', words: 'Memory', className: 'number' },
  { key: 'read', words: 'Read', className: 'number wide-only' },
  { key: 'write', words: 'Write', className: 'number wide-only' },
];

export function ProcessTable(props: ProcessTableProps) {
  const { list, processes, live, now } = props;
  const shown = processes.slice(0, ROWS_MAX);
  return (
    <>
      <div className="panel-bar" role="toolbar" aria-label="Processes">
        <button type="button" className="button button-live" aria-pressed={live} onClick={() => props.onLive(!live)} data-testid="live-processes">
          <PulseIcon />
          Live list
        </button>
        <SearchField label="Search processes" value={props.text} onChange={props.onText} />
        <p className="panel-state">
          {list.at === null ? '' : list.live ? `All ${count(list.items.length)} processes, ${ago(list.at, now)}` : `The largest ones, ${ago(list.at, now)}`}
          {list.left_out > 0 && `, ${count(list.left_out)} left out`}
        </p>
      </div>
      {list.items.length === 0 ? (
        <p className="card panel-empty">No process list has arrived yet.</p>
      ) : (
        <section className="card table-card" aria-label="Processes">
          <table className="plain-table process-table">
            <thead>
              <tr>
                {COLUMNS.map((column) => (
                  <Heading key={column.key} column={column} sortedBy={props.sortedBy} onSort={props.onSort} />
                ))}
                <th scope="col" className="wide-only">Command</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((process) => (
                <Row key={process.pid} process={process} />
              ))}
            </tbody>
          </table>
          {shown.length < processes.length && <p className="table-empty">and {count(processes.length - shown.length)} smaller ones</p>}
        </section>
      )}
    </>
  );
}

interface HeadingProps {
  column: (typeof COLUMNS)[number];
  sortedBy: ProcessKey;
  onSort(key: ProcessKey): void;
}

const ASCENDING: readonly ProcessKey[] = ['name', 'user', 'pid'];

function Heading({ column, sortedBy, onSort }: HeadingProps) {
  const sorted = column.key === sortedBy;
  const direction = ASCENDING.includes(column.key) ? 'ascending' : 'descending';
  return (
    <th scope="col" className={column.className} aria-sort={sorted ? direction : 'none'}>
      <button type="button" className="sort-button" onClick={() => onSort(column.key)}>
        {column.words}
        {sorted && <span aria-hidden="true">{direction === 'ascending' ? ' ↑' : ' ↓'}</span>}
      </button>
    </th>
  );
}

function Rate({ value }: { value: number }) {
  return value === 0 ? <span className="missing">0</span> : bytesPerSecond(value);
}

function Row({ process }: { process: Process }) {
  return (
    <tr>
      <th scope="row" className="ellipsis" title={process.command || process.name}>{process.name}</th>
      <td className="number quiet wide-only">{process.pid}</td>
      <td className="quiet wide-only">{process.user}</td>
      <td className="number" title="100 % is one core">{percent(process.cpu_percent)}</td>
      <td className="number">{bytes(process.memory_bytes)}</td>
      <td className="number wide-only"><Rate value={process.read_bytes_per_s} /></td>
      <td className="number wide-only"><Rate value={process.write_bytes_per_s} /></td>
      <td className="wide-only process-command" title={process.command}>
        <code>{process.command}</code>
      </td>
    </tr>
  );
}
