// What the rule in the form would have done: asks for it when told to, and shows it in words, by host,
// and over the metric of the host that is looked at.
import { useEffect, useRef, useState } from 'react';
import type { Backtest, Episode, VocabularyMetric } from '../io/contract-rules';
import { BACKTEST_DAYS, spanOfEpisode, stripsOf, untestable } from '../logic/backtest';
import type { Span } from '../logic/range';
import type { RuleDraft } from '../logic/rule-form';
import type { Units } from '../logic/rule-words';
import { BacktestResult } from '../views/BacktestResult';
import { InlineFailure } from '../views/parts';
import { BacktestChart } from './BacktestChart';
import { useServices } from './services';
import type { RuleWork } from './use-rule';

const DAY_MS = 86_400_000;

interface Tested {
  result: Backtest;
  /** What was tested; what is in the form may be another by now. */
  draft: RuleDraft;
}

export interface BacktestPanelProps {
  work: RuleWork;
  units: Units;
  metrics: readonly VocabularyMetric[];
}

export function BacktestPanel({ work, units, metrics }: BacktestPanelProps) {
  const [days, setDays] = useState<number>(30);
  const test = useBacktest(work, days);
  const [looked, setLooked] = useState<{ host: string; span: Span | null } | null>(null);
  const { tested, running, failure } = test;
  const host = looked?.host ?? (tested ? stripsOf(tested.result)[0]?.host : undefined);
  const why = untestable(work.draft.kind, work.draft.metric, metrics);
  return (
    <section className="card backtest" aria-label="Backtest" data-testid="backtest">
      <header className="ticket-part-head">
        <h2>Backtest</h2>
        <div className="segmented" role="group" aria-label="Over">
          {BACKTEST_DAYS.map((one) => (
            <button key={one} type="button" aria-pressed={one === days} onClick={() => setDays(one)}>
              {one === 1 ? '1 day' : `${one} days`}
            </button>
          ))}
        </div>
      </header>
      <p className="settings-intro">What the rule in the form would have done with the samples that are stored. Nothing is opened and nobody is told.</p>
      <div className="backtest-run">
        {running ? (
          <button type="button" className="button" onClick={test.stop}>
            <span className="spinner" aria-hidden="true" />
            Stop
          </button>
        ) : (
          <button type="button" className="button" disabled={why !== ''} onClick={() => (setLooked(null), test.run())}>
            Run the backtest
          </button>
        )}
        <span className="settings-hint">{why}</span>
        {running && <span className="settings-hint" role="status">Reading samples…</span>}
      </div>
      {failure !== null && <InlineFailure what="The backtest failed" failure={failure} onRetry={test.run} />}
      {tested && (
        <BacktestResult
          result={tested.result}
          isOld={JSON.stringify(tested.draft) !== JSON.stringify(work.draft)}
          unit={units}
          metric={tested.draft.metric}
          host={host ?? null}
          onHost={(chosen) => setLooked({ host: chosen, span: null })}
          onEpisode={(episode: Episode) => episode.host !== null && setLooked({ host: episode.host, span: spanOfEpisode(episode, tested.result) })}
        >
          {host !== undefined && host !== '' && <BacktestChart key={`${host} ${looked?.span?.from}`} host={host} first={looked?.span ?? null} result={tested.result} draft={tested.draft} units={units} />}
        </BacktestResult>
      )}
    </section>
  );
}

function useBacktest(work: RuleWork, days: number) {
  const { alertApi, clock } = useServices();
  const [tested, setTested] = useState<Tested | null>(null);
  const [running, setRunning] = useState<AbortController | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const latest = useRef<AbortController | null>(null);
  useEffect(() => () => latest.current?.abort(), []);

  const run = async () => {
    const definition = work.read();
    if (definition === null) return;
    const asked = new AbortController();
    latest.current = asked;
    setRunning(asked);
    setFailure(null);
    const { draft } = work;
    const to = Math.round(clock.now());
    try {
      const result = await alertApi.backtest({ definition, from: to - days * DAY_MS, to }, asked.signal);
      setTested({ result, draft });
    } catch (error) {
      if (asked.signal.aborted) return;
      setFailure(error);
      work.refused(error);
    } finally {
      setRunning((now) => (now === asked ? null : now));
    }
  };
  return { tested, running: running !== null, failure, run: () => void run(), stop: () => running?.abort() };
}
