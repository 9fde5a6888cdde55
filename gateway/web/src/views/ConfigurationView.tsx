// The configuration in force at a host: what is set, what its own file pins, and what it refused.
import type { AppliedConfiguration } from '../io/contract-agent';
import { ago, count, moment } from '../logic/format';
import { settingRows } from '../logic/settings-form';
import { FactRows, type FactRow } from './FactRows';
import { WarningIcon } from './icons';

export function ConfigurationView({ applied, at, now }: { applied: AppliedConfiguration; at: number; now: number }) {
  const rows: FactRow[] = [
    ['Central version', applied.version === 0 ? 'none' : String(applied.version)],
    ...settingRows(applied.settings),
    ['Conditions judged', applied.conditions > 0 ? count(applied.conditions) : ''],
    ['Pinned by the host', applied.pinned.join(', ')],
  ];
  return (
    <section className="card table-card" aria-label="Configuration in force">
      <h3>Configuration in force</h3>
      {applied.refused && (
        <p className="inline-failure">
          <WarningIcon />
          <span>
            Version {applied.refused.version} was refused: {applied.refused.reason}
          </span>
        </p>
      )}
      <FactRows rows={rows} />
      <p className="table-empty" title={moment(at)}>Since {ago(at, now)}</p>
    </section>
  );
}
