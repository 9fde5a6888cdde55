// The top of the fleet page: counts that are also the status filter, the search, and on phones,
// where there are no column headings, the choice of order.
import { useEffect, useRef } from 'react';
import type { Counts } from '../logic/fleet';
import type { Filter, Order, SortKey } from '../logic/fleet-order';
import { count } from '../logic/format';
import { SearchIcon } from './icons';
import { COLUMNS } from './fleet-columns';

export interface FleetHeaderProps {
  counts: Counts;
  shown: number;
  filter: Filter;
  order: Order;
  onFilter(filter: Filter): void;
  onSort(key: SortKey): void;
}

const CHOICES = [
  { status: 'all', label: 'All' },
  { status: 'online', label: 'Online' },
  { status: 'offline', label: 'Offline' },
] as const;

export function FleetHeader({ counts, shown, filter, order, onFilter, onSort }: FleetHeaderProps) {
  return (
    <div className="fleet-header">
      <h1>Fleet</h1>
      <div className="segmented" role="group" aria-label="Show hosts by status">
        {CHOICES.map(({ status, label }) => (
          <button key={status} type="button" aria-pressed={filter.status === status} onClick={() => onFilter({ ...filter, status })} data-testid={`count-${status}`}>
            {status !== 'all' && <span className={`status-dot status-dot-${status}`} aria-hidden="true" />}
            {label}
            <span className="segmented-count">{count(counts[status])}</span>
          </button>
        ))}
      </div>
      <Search text={filter.text} onText={(text) => onFilter({ ...filter, text })} />
      <label className="fleet-sort">
        <span className="visually-hidden">Sort by</span>
        <select value={order.key} onChange={(event) => onSort(event.target.value as SortKey)}>
          {COLUMNS.map(({ key, title }) => (
            <option key={key} value={key}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <span className="visually-hidden" role="status">
        {shown} of {counts.all} hosts shown
      </span>
    </div>
  );
}

function Search({ text, onText }: { text: string; onText(text: string): void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.matches('input, select, textarea');
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
  return (
    <label className="search">
      <SearchIcon />
      <span className="visually-hidden">Search hosts by name or label</span>
      <input ref={input} type="search" placeholder="Search hosts" value={text} onChange={(event) => onText(event.target.value)} onKeyDown={(event) => event.key === 'Escape' && onText('')} />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}
