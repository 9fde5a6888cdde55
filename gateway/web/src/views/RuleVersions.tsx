// What a rule was before: each version with what it changed, who changed it and when. One of them can
// become the draft.
import type { Channel } from '../io/contract-channels';
import type { RuleDefinition, RuleVersion } from '../io/contract-rules';
import { moment } from '../logic/format';
import { changesOf, type RuleChange, type Units } from '../logic/rule-words';
import { InlineFailure, Skeleton } from './parts';

export interface RuleVersionsProps {
  versions: readonly RuleVersion[] | null;
  failure: unknown;
  units: Units;
  channels: readonly Channel[];
  onRetry(): void;
  onBringBack(definition: RuleDefinition): void;
}

export function RuleVersions({ versions, failure, units, channels, onRetry, onBringBack }: RuleVersionsProps) {
  if (versions === null) return failure === null ? <Skeleton className="card skeleton-card" /> : <InlineFailure what="The versions could not be loaded" failure={failure} onRetry={onRetry} />;
  const names = new Map(channels.map(({ id, name }) => [id, name]));
  const sorted = versions.toSorted((a, b) => b.version - a.version);
  return (
    <section className="card versions" aria-label="Versions">
      <h3>Versions</h3>
      <ol className="history">
        {sorted.map((version, index) => {
          const before = sorted[index + 1];
          return <Version key={version.version} version={version} isNewest={index === 0} changes={before ? changesOf(before.definition, version.definition, names, units) : null} onBringBack={onBringBack} />;
        })}
      </ol>
    </section>
  );
}

interface VersionProps {
  version: RuleVersion;
  isNewest: boolean;
  /** Null of the first. */
  changes: readonly RuleChange[] | null;
  onBringBack(definition: RuleDefinition): void;
}

function Version({ version: { version, at, by, definition }, isNewest, changes, onBringBack }: VersionProps) {
  return (
    <li className="history-entry" data-version={version}>
      <span className="event-dot" aria-hidden="true" />
      <div className="version-body">
        <p className="history-title">
          Version {version}
          <span className="quiet">
            {' '}
            by {by ?? 'the first start'}, {moment(at)}
          </span>
          {!isNewest && (
            <button type="button" className="chip version-back" onClick={() => onBringBack(definition)} title="Put it into the form; nothing is saved by that">
              Bring back
            </button>
          )}
        </p>
        {changes === null && <p className="quiet">Created.</p>}
        {changes?.length === 0 && <p className="quiet">Saved without a change.</p>}
        {changes && changes.length > 0 && (
          <ul className="changes">
            {changes.map(({ field, before, after }) => (
              <li key={field}>
                <span className="change-field">{field}</span> <del>{before}</del> <span aria-hidden="true">→</span> <ins>{after}</ins>
              </li>
            ))}
          </ul>
        )}
      </div>
    </li>
  );
}
