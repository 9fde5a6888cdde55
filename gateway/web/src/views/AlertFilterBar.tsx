// What is asked for among the tickets: their state and priority with how many there are, whose they
// are, of which rule, of what time, and words in their titles.
import { PRIORITIES, type AlertCounts } from '../io/contract-alerts';
import { countOf, isLabel, PRIORITY_WORDS, STATUS_FILTER_WORDS, STATUS_FILTERS, type AlertFilter } from '../logic/alerts';
import { count } from '../logic/format';
import { isHostName } from '../logic/letters';
import { isMoments, LAST, whenWords } from '../logic/log-time';
import { SearchField } from './SearchField';
import { useTyped } from './use-typed';

export interface AlertFilterBarProps {
  filter: AlertFilter;
  counts: AlertCounts | null;
  /** Names by number; a rule that is asked for stands there even where it is not known. */
  rules: readonly (readonly [id: string, name: string])[];
  /** Of the fleet, to choose from. */
  labels: readonly string[];
  onFilter(filter: AlertFilter): void;
}

export function AlertFilterBar({ filter, counts, rules, labels, onFilter }: AlertFilterBarProps) {
  return (
    <>
      <div className="panel-bar alert-states-bar">
        <div className="segmented" role="group" aria-label="Show alerts by state">
          {STATUS_FILTERS.map((status) => {
            const number = counts && countOf(status, counts);
            return (
              <button key={status} type="button" aria-pressed={filter.status === status} onClick={() => onFilter({ ...filter, status })} data-testid={`alerts-${status}`}>
                {STATUS_FILTER_WORDS[status]}
                {number !== null && <span className="segmented-count">{count(number)}</span>}
              </button>
            );
          })}
        </div>
        <div className="alert-priorities" role="group" aria-label="Show alerts by priority">
          {PRIORITIES.map((priority) => (
            <button
              key={priority}
              type="button"
              className={`chip priority-chip priority-${priority}`}
              aria-pressed={filter.priority === priority}
              onClick={() => onFilter({ ...filter, priority: filter.priority === priority ? '' : priority })}
              data-testid={`alerts-${priority}`}
            >
              <span className="priority-dot" aria-hidden="true" />
              {PRIORITY_WORDS[priority]}
              {counts !== null && <span className="segmented-count">{count(counts[priority])}</span>}
            </button>
          ))}
        </div>
      </div>
      <Search filter={filter} rules={rules} labels={labels} onFilter={onFilter} />
    </>
  );
}

function Search({ filter, rules, labels, onFilter }: Omit<AlertFilterBarProps, 'counts'>) {
  const [host, setHost] = useTyped(filter.host, (text) => (text === '' || isHostName(text)) && onFilter({ ...filter, host: text }));
  const [label, setLabel] = useTyped(filter.label, (next) => (next === '' || isLabel(next)) && onFilter({ ...filter, label: next }));
  const [text, setText] = useTyped(filter.text, (next) => onFilter({ ...filter, text: next }));
  const known = rules.some(([id]) => id === filter.rule);
  return (
    <div className="panel-bar" role="toolbar" aria-label="Alerts">
      <label className="letter-host">
        <span className="visually-hidden">Host</span>
        <input type="search" placeholder="Host" value={host} onChange={(event) => setHost(event.target.value.toLowerCase())} aria-invalid={host.trim() !== '' && !isHostName(host.trim())} autoCapitalize="off" spellCheck={false} />
      </label>
      <label className="letter-host">
        <span className="visually-hidden">Label of the host</span>
        <input type="search" list="alert-labels" placeholder="Label: role=web" value={label} onChange={(event) => setLabel(event.target.value)} aria-invalid={label.trim() !== '' && !isLabel(label.trim())} autoCapitalize="off" spellCheck={false} />
        <datalist id="alert-labels">
          {labels.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </datalist>
      </label>
      <label className="field-inline">
        <span className="visually-hidden">Rule</span>
        <select value={filter.rule} onChange={(event) => onFilter({ ...filter, rule: event.target.value })}>
          <option value="">All rules</option>
          {rules.map(([id, name]) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
          {filter.rule !== '' && !known && <option value={filter.rule}>Rule {filter.rule}</option>}
        </select>
      </label>
      <label className="field-inline">
        <span className="visually-hidden">Time</span>
        <select value={filter.when} onChange={(event) => onFilter({ ...filter, when: event.target.value })}>
          <option value="">Any time</option>
          {LAST.map((last) => (
            <option key={last} value={last}>
              Opened in the {whenWords(last)}
            </option>
          ))}
          {isMoments(filter.when) && <option value={filter.when}>{whenWords(filter.when)}</option>}
        </select>
      </label>
      <SearchField label="Search alerts" value={text} onChange={setText} />
    </div>
  );
}
