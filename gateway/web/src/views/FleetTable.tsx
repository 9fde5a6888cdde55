// The fleet as a sortable table of which only the rows near the screen exist, so that ten thousand
// hosts scroll like fifty. The page itself scrolls; rows have one fixed height per layout.
import { useEffect, useRef, useState } from 'react';
import type { Host } from '../io/contract';
import type { HostAlerts } from '../logic/alerts';
import type { Order, SortKey } from '../logic/fleet-order';
import { visibleRows, type RowWindow } from '../logic/window';
import { COLUMNS } from './fleet-columns';
import { FleetRow, lastSeen } from './FleetRow';

export interface FleetTableProps {
  ids: readonly string[];
  hosts: ReadonlyMap<string, Host>;
  alerts: ReadonlyMap<string, HostAlerts>;
  order: Order;
  now: number;
  /** Cards instead of rows. */
  compact: boolean;
  onSort(key: SortKey): void;
}

/** The same numbers as --row-height in the stylesheet. */
const ROW_HEIGHT = 40;
const CARD_HEIGHT = 116;

export function FleetTable({ ids, hosts, alerts, order, now, compact, onSort }: FleetTableProps) {
  const rowHeight = compact ? CARD_HEIGHT : ROW_HEIGHT;
  const body = useRef<HTMLDivElement>(null);
  const { first, end } = useRowWindow(body, rowHeight, ids.length);
  return (
    <div role="table" className="fleet" aria-label="Hosts" aria-rowcount={ids.length + 1} data-testid="fleet">
      <div role="rowgroup" className="fleet-head">
        <div role="row" className="fleet-row" aria-rowindex={1}>
          {COLUMNS.map((column) => (
            <Heading key={column.key} column={column} order={order} onSort={onSort} />
          ))}
        </div>
      </div>
      <div role="rowgroup" ref={body} className="fleet-body" style={{ height: ids.length * rowHeight }}>
        <div style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {ids.slice(first, end).map((id, index) => {
            const host = hosts.get(id);
            return host && <FleetRow key={id} host={host} position={first + index + 1} seen={lastSeen(host, now)} alerts={alerts.get(id) ?? null} />;
          })}
        </div>
      </div>
    </div>
  );
}

function Heading({ column, order, onSort }: { column: (typeof COLUMNS)[number]; order: Order; onSort(key: SortKey): void }) {
  const sorted = order.key === column.key;
  const direction = order.descending ? 'descending' : 'ascending';
  return (
    <div role="columnheader" aria-sort={sorted ? direction : 'none'} className={column.numeric ? 'head-number' : ''}>
      <button type="button" onClick={() => onSort(column.key)}>
        {column.title}
        <span className="sort-mark" aria-hidden="true">
          {sorted && (order.descending ? '↓' : '↑')}
        </span>
      </button>
    </div>
  );
}

function useRowWindow(body: React.RefObject<HTMLDivElement | null>, rowHeight: number, rows: number): RowWindow {
  const [shown, setShown] = useState<RowWindow>({ first: 0, end: 40 });
  useEffect(() => {
    const measure = () => {
      if (!body.current) return;
      const top = -body.current.getBoundingClientRect().top;
      const next = visibleRows(top, window.innerHeight, rowHeight, rows);
      setShown((before) => (before.first === next.first && before.end === next.end ? before : next));
    };
    measure();
    window.addEventListener('scroll', measure, { passive: true });
    window.addEventListener('resize', measure);
    return () => {
      window.removeEventListener('scroll', measure);
      window.removeEventListener('resize', measure);
    };
  }, [body, rowHeight, rows]);
  return shown;
}
