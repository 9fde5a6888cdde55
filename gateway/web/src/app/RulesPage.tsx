// The list of rules: joins them with how they do now, and switches them on and off.
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import type { AlertRule } from '../io/contract-rules';
import { failureSentence } from '../logic/format';
import { mayGovern } from '../logic/host-tabs';
import { writtenRule } from '../logic/rule-form';
import { AlertTabs, OutcomeWords, type OutcomeLine } from '../views/AlertParts';
import { BellIcon, PlusIcon } from '../views/icons';
import { InlineFailure, LoadingWords, Notice, Skeleton } from '../views/parts';
import { RuleList } from '../views/RuleList';
import { useRole, useTitle } from './hooks';
import { useServices } from './services';
import { useRules } from './use-alerts';
import { useUnits } from './use-rule';

export function RulesPage() {
  useTitle('Rules');
  const { alertApi } = useServices();
  const rules = useRules();
  const units = useUnits();
  const mayEdit = mayGovern(useRole());
  const [busy, setBusy] = useState<number | null>(null);
  const [outcome, setOutcome] = useState<OutcomeLine | null>(null);
  const sorted = useMemo(() => rules.value?.toSorted((a, b) => b.firing - a.firing || Number(b.definition.enabled) - Number(a.definition.enabled) || a.definition.name.localeCompare(b.definition.name)) ?? null, [rules.value]);

  const enable = async ({ id, version, definition }: AlertRule, enabled: boolean) => {
    setBusy(id);
    setOutcome(null);
    try {
      await alertApi.setRule(id, version, writtenRule({ ...definition, enabled }));
    } catch (error) {
      setOutcome({ good: false, words: `${definition.name} could not be switched ${enabled ? 'on' : 'off'}: ${failureSentence(error)}` });
    }
    rules.retry();
    setBusy(null);
  };
  return (
    <div className="host">
      <div className="alerts-head">
        <h1 className="page-title">Rules</h1>
        {mayEdit && (
          <Link className="button button-primary" href="/alerts/rules/new">
            <PlusIcon />
            New rule
          </Link>
        )}
      </div>
      <AlertTabs current="/alerts/rules" />
      <OutcomeWords outcome={outcome} />
      {rules.failure !== null && <InlineFailure what="The rules could not be loaded" failure={rules.failure} onRetry={rules.retry} />}
      {rules.loading && (
        <>
          <LoadingWords>Loading the rules</LoadingWords>
          <Skeleton className="card skeleton-chart" />
        </>
      )}
      {sorted && sorted.length > 0 && <RuleList rules={sorted} units={units} mayEdit={mayEdit} busy={busy} onEnable={(rule, on) => void enable(rule, on)} />}
      {sorted?.length === 0 && (
        <Notice icon={<BellIcon />} title="There are no rules">
          <p>Without a rule nothing is ever told. A fresh installation comes with some; these were deleted.</p>
        </Notice>
      )}
    </div>
  );
}
