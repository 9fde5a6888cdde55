// How long each kind of data is kept, for those who may not change it.
import type { Retention } from '../io/contract-storage';
import { groupHint, groupWords, kept } from '../logic/retention-form';
import { retentionSince } from './RetentionForm';

export function RetentionRules({ retention }: { retention: Retention }) {
  const special = retention.rules.filter((rule) => rule.label !== null || !retention.groups.some((group) => group.group === rule.scope));
  return (
    <section className="card table-card" aria-label="How long data is kept">
      <h3>How long data is kept</h3>
      <dl className="fact-rows">
        {retention.groups.map((group) => (
          <div key={group.group}>
            <dt title={groupHint(group.group)}>{groupWords(group.group)}</dt>
            <dd>
              {kept(group.keep_days)}
              {group.keep_days !== group.default_days && <span className="quiet"> instead of {kept(group.default_days)}</span>}
            </dd>
          </div>
        ))}
        {special.map((rule) => (
          <div key={`${rule.scope} ${rule.label}`}>
            <dt>
              {groupWords(rule.scope)}
              {rule.label !== null && ` of ${rule.label}`}
            </dt>
            <dd>{kept(rule.keep_days)}</dd>
          </div>
        ))}
      </dl>
      <p className="table-note">{retentionSince(retention)} Only administrators may change it.</p>
    </section>
  );
}
