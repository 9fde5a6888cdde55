// The page of one rule, or of a new one: joins its form with a backtest beside it and its versions.
import { useState } from 'react';
import { Link } from 'wouter';
import type { AlertRule } from '../io/contract-rules';
import { ApiError } from '../io/http';
import { failureSentence } from '../logic/format';
import { mayGovern, mayHandle } from '../logic/host-tabs';
import { conditionWords, firingWords, lastingWords, selectorWords, type Units } from '../logic/rule-words';
import { ConfirmDialog } from '../views/ConfirmDialog';
import { ChevronIcon, WarningIcon } from '../views/icons';
import { LoadingWords, Notice, Skeleton } from '../views/parts';
import { RuleEnd, RuleForm } from '../views/RuleForm';
import { RuleVersions } from '../views/RuleVersions';
import { BacktestPanel } from './BacktestPanel';
import { usePolled, useRole, useStore, useTitle } from './hooks';
import { useServices } from './services';
import { useChannelNames, useRule, useRuleVersions, useUnits, useVocabulary, type RuleWork } from './use-rule';

export function NewRulePage() {
  useTitle('New rule');
  const role = useRole();
  const units = useUnits();
  if (!mayGovern(role)) {
    return (
      <Notice icon={<WarningIcon />} title="Only administrators may make rules">
        <p>You are signed in as {role === '' ? 'nobody' : `a ${role}`}.</p>
      </Notice>
    );
  }
  return <Editor rule={null} units={units} mayEdit onSaved={() => undefined} />;
}

export function RulePage({ id }: { id: number }) {
  const { alertApi } = useServices();
  const units = useUnits();
  const [saved, setSaved] = useState<AlertRule | null>(null);
  const found = usePolled({ key: String(id), fetch: (signal) => alertApi.rule(id, signal), nextMs: () => null });
  const rule = saved ?? found.value;
  const role = useRole();
  useTitle(rule?.definition.name ?? 'Rule');
  if (rule) return mayHandle(role) ? <Editor key={rule.id} rule={rule} units={units} mayEdit={mayGovern(role)} onSaved={setSaved} /> : <ReadOnly rule={rule} units={units} />;
  if (found.failure === null) {
    return (
      <div className="host">
        <LoadingWords>Loading the rule</LoadingWords>
        <Skeleton className="skeleton-title" />
        <Skeleton className="card skeleton-chart" />
      </div>
    );
  }
  const unknown = found.failure instanceof ApiError && found.failure.status === 404;
  return (
    <Notice icon={<WarningIcon />} title={unknown ? 'There is no such rule' : 'The rule could not be loaded'} tone="bad">
      <p>{failureSentence(found.failure)}</p>
      <div className="notice-actions">
        <Link className="button" href="/alerts/rules">
          Go to the rules
        </Link>
        <button className="button" type="button" onClick={found.retry}>
          Try now
        </button>
      </div>
    </Notice>
  );
}

interface EditorProps {
  rule: AlertRule | null;
  units: Units;
  /** Who may not save can still try what another limit would have done. */
  mayEdit: boolean;
  onSaved(rule: AlertRule): void;
}

function Editor({ rule, units, mayEdit, onSaved }: EditorProps) {
  const vocabulary = useVocabulary();
  const channels = useChannelNames();
  const { fleet } = useServices();
  const { hosts } = useStore(fleet.settled);
  const work = useRule(rule, units, onSaved);
  return (
    <div className="host">
      <Head rule={rule} work={work} mayEdit={mayEdit} />
      <div className="rule-columns">
        <div className="rule-main">
          <RuleForm draft={work.draft} wrong={work.wrong} vocabulary={vocabulary} units={units} channels={channels} hosts={[...hosts.values()]} onDraft={work.edit} onSave={mayEdit ? work.save : () => undefined}>
            {mayEdit ? <RuleEnd work={work} isNew={rule === null} /> : <p className="settings-hint form-end">Only administrators can save. What you change here can be tried in the backtest.</p>}
          </RuleForm>
          {rule && <Versions rule={rule} units={units} work={work} />}
        </div>
        <BacktestPanel work={work} units={units} metrics={vocabulary.metrics} />
      </div>
    </div>
  );
}

function Versions({ rule, units, work }: { rule: AlertRule; units: Units; work: RuleWork }) {
  const versions = useRuleVersions(rule);
  const channels = useChannelNames();
  return <RuleVersions versions={versions.value} failure={versions.failure} units={units} channels={channels} onRetry={versions.retry} onBringBack={work.bringBack} />;
}

function Crumbs({ words }: { words: string }) {
  return (
    <nav className="crumbs" aria-label="Breadcrumb">
      <Link href="/alerts">Alerts</Link>
      <ChevronIcon />
      <Link href="/alerts/rules">Rules</Link>
      <ChevronIcon />
      <span aria-current="page">{words}</span>
    </nav>
  );
}

function Head({ rule, work, mayEdit }: { rule: AlertRule | null; work: RuleWork; mayEdit: boolean }) {
  const [removing, setRemoving] = useState(false);
  const name = rule?.definition.name ?? 'New rule';
  return (
    <div>
      <Crumbs words={name} />
      <div className="alerts-head">
        <h1 className="page-title">{name}</h1>
        {rule?.is_default && <span className="alert-mark">default</span>}
        {rule && firingWords(rule) !== '' && (
          <Link className="text-link" href={`/alerts?rule=${rule.id}`}>
            {firingWords(rule)}
          </Link>
        )}
        {rule && mayEdit && (
          <div className="head-deeds">
            <button type="button" className="button" disabled={work.busy} onClick={work.clone}>
              Clone
            </button>
            <button type="button" className="button button-quiet-danger" disabled={work.busy} onClick={() => setRemoving(true)}>
              Delete…
            </button>
          </div>
        )}
      </div>
      {removing && (
        <ConfirmDialog
          title={`Delete ${name}?`}
          action="Delete"
          tone="bad"
          onClose={() => setRemoving(false)}
          onConfirm={() => {
            setRemoving(false);
            work.remove();
          }}
        >
          <p>Its open tickets are resolved, and what it watched for is not told any more. The tickets it ever had stay. To silence it for some time, switch it off or use a silence.</p>
        </ConfirmDialog>
      )}
    </div>
  );
}

/** For those who may only look. */
function ReadOnly({ rule, units }: { rule: AlertRule; units: Units }) {
  const { definition } = rule;
  return (
    <div className="host">
      <div>
        <Crumbs words={definition.name} />
        <h1 className="page-title">{definition.name}</h1>
      </div>
      <section className="card ticket-texts" aria-label="Rule">
        <p>
          {conditionWords(definition.condition, units)}, {lastingWords(definition)}.
        </p>
        <p className="quiet">
          {selectorWords(definition.selector)}; {definition.enabled ? 'it is on' : 'it is off'}.
        </p>
        <p className="ticket-text">{definition.description}</p>
        <p className="ticket-text quiet">{definition.recommendation}</p>
      </section>
    </div>
  );
}
