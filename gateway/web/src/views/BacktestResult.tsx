// The outcome of a backtest: a sentence, what it does not cover, a strip of time for each host, the
// chart of the one that is looked at, and the episodes one by one.
import { useMemo, useState, type ReactNode } from 'react';
import type { Backtest, Episode } from '../io/contract-rules';
import { amountWords } from '../logic/alert-units';
import { backtestLimits, backtestSentence, endOf, isCalm, stripsOf, type HostStrip } from '../logic/backtest';
import { count, duration, moment, timeSpan } from '../logic/format';
import { unitIn, type Units } from '../logic/rule-words';
import { timeTicks } from '../logic/ticks';
import { CheckIcon, WarningIcon } from './icons';

export interface BacktestResultProps {
  result: Backtest;
  /** The form has changed since. */
  isOld: boolean;
  unit: Units;
  metric: string;
  /** The one that is looked at. */
  host: string | null;
  onHost(host: string): void;
  onEpisode(episode: Episode): void;
  /** Its chart. */
  children: ReactNode;
}

/** A screen of each; the rest on demand. */
const STRIPS_FIRST = 12;
const EPISODES_FIRST = 8;
const TICKS_MAX = 5;
/** As narrow as the stylesheet lets one be: at the very end it would be cut off. */
const PART_PIXELS_MIN = 4;

export function BacktestResult(props: BacktestResultProps) {
  const { result, isOld, children } = props;
  const strips = useMemo(() => stripsOf(result), [result]);
  const calm = isCalm(result);
  const fired = strips.length > 0;
  return (
    <>
      <p className={calm ? 'plan-sentence backtest-calm' : 'plan-sentence'} role="status" data-testid="backtest-sentence">
        {calm ? <CheckIcon /> : <WarningIcon />}
        <span>{backtestSentence(result)}</span>
      </p>
      {isOld && <p className="inline-warning">The form has changed since: this is about the rule as it was.</p>}
      {backtestLimits(result).map((words) => (
        <p key={words} className="settings-hint">
          {words}
        </p>
      ))}
      {fired && <Strips {...props} strips={strips} />}
      {children}
      {fired && <Episodes {...props} />}
      <p className="settings-hint">
        {count(result.samples)} samples, {moment(result.from)} to {moment(result.to)}, in {result.duration_ms < 1000 ? `${Math.round(result.duration_ms)} ms` : `${(result.duration_ms / 1000).toFixed(1)} s`}.
      </p>
    </>
  );
}

function Strips({ result, host, strips, onHost, onEpisode }: BacktestResultProps & { strips: readonly HostStrip[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? strips : strips.slice(0, STRIPS_FIRST);
  return (
    <div className="backtest-strips">
      <ol aria-label="When it would have fired, by host">
        {shown.map((strip) => (
          <li key={strip.host} className={strip.host === host ? 'backtest-strip backtest-strip-chosen' : 'backtest-strip'}>
            <button type="button" className="backtest-host" aria-pressed={strip.host === host} disabled={strip.host === ''} onClick={() => onHost(strip.host)} title={`${count(strip.episodes)} times, ${duration(strip.totalMs)} in all`}>
              {strip.host === '' ? 'the group' : strip.host}
            </button>
            <span className="strip">
              {strip.parts.map((part) => (
                <button
                  key={`${part.episode.from} ${part.episode.instance}`}
                  type="button"
                  className={part.pages ? 'strip-part strip-fired' : 'strip-part strip-fired strip-unpaged'}
                  style={{ left: `min(${part.left}%, 100% - ${PART_PIXELS_MIN}px)`, width: `${part.width}%` }}
                  title={`${part.episode.instance} ${timeSpan(part.episode.from, endOf(part.episode, result))}`.trim()}
                  aria-label={`Look at ${timeSpan(part.episode.from, endOf(part.episode, result))}`}
                  onClick={() => onEpisode(part.episode)}
                />
              ))}
            </span>
            <span className="backtest-count">{count(strip.episodes)} ×</span>
          </li>
        ))}
      </ol>
      <p className="log-axis backtest-axis" aria-hidden="true">
        {timeTicks(result.from, result.to, TICKS_MAX).map(({ part, label }) => (
          <span key={part} style={{ left: `${part * 100}%` }}>
            {label}
          </span>
        ))}
      </p>
      {strips.length > shown.length && (
        <button type="button" className="button" onClick={() => setAll(true)}>
          Show all {count(strips.length)} hosts
        </button>
      )}
    </div>
  );
}

function Episodes({ result, unit, metric, onEpisode }: BacktestResultProps) {
  const [all, setAll] = useState(false);
  const unitName = unitIn(unit, metric);
  const shown = all ? result.episodes : result.episodes.slice(0, EPISODES_FIRST);
  return (
    <div className="table-scroll">
      <table className="plain-table episodes">
        <thead>
          <tr>
            <th scope="col">Began</th>
            <th scope="col">Host</th>
            <th scope="col" className="number">Lasted</th>
            <th scope="col" className="number">Peak</th>
            <th scope="col" className="number wide-only">Page</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((episode) => (
            <tr key={`${episode.host} ${episode.instance} ${episode.from}`}>
              <th scope="row">
                <button type="button" className="sort-button text-link" disabled={episode.host === null} onClick={() => onEpisode(episode)}>
                  {moment(episode.from).slice(5, -3)}
                </button>
              </th>
              <td className="wrap">
                {episode.host ?? 'the group'} <span className="quiet">{episode.instance}</span>
              </td>
              <td className="number">{episode.to === null ? 'goes on' : duration(episode.to - episode.from)}</td>
              <td className="number">{amountWords(episode.peak, episode.host === null ? 'percent' : unitName)}</td>
              <td className="number wide-only">{episode.would_page_at === null ? 'none' : moment(episode.would_page_at).slice(11)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {result.episodes.length > shown.length && (
        <button type="button" className="button" onClick={() => setAll(true)}>
          Show all {count(result.episodes.length)}
        </button>
      )}
    </div>
  );
}
