// Silences: what they keep quiet, when, why, and who made them.
import type { Silence } from '../io/contract-channels';
import { moment } from '../logic/format';
import { scopeWords, whenWordsOf } from '../logic/silences';
import { CalendarIcon, ClockIcon } from './icons';
import { NobodyMark } from './SelectorField';

export interface SilenceListProps {
  silences: readonly Silence[];
  now: number;
  ruleName(id: number): string;
  /** Null where none can be ended. */
  onEnd: ((silence: Silence) => void) | null;
}

export function SilenceList({ silences, now, ruleName, onEnd }: SilenceListProps) {
  return (
    <ul className="card silence-list" aria-label="Silences" data-testid="silences">
      {silences.map((silence) => (
        <li key={silence.id} className="silence-row" data-silence={silence.id}>
          <span className="silence-icon" title={silence.recurrence ? 'It recurs' : 'Once'}>
            {silence.recurrence ? <CalendarIcon /> : <ClockIcon />}
          </span>
          <div className="silence-what">
            <p className="silence-scope">
              {scopeWords(silence, ruleName)}
              {silence.hosts_selected === 0 && <NobodyMark words="No host is selected: nothing is silenced" />}
            </p>
            <p className="silence-reason">{silence.reason}</p>
          </div>
          <div className="silence-when">
            <p>{whenWordsOf(silence, now)}</p>
            <p className="quiet">
              by {silence.author} on {moment(silence.created_at).slice(0, -3)}
            </p>
          </div>
          {onEnd && (
            <button type="button" className="button" onClick={() => onEnd(silence)}>
              End…
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}
