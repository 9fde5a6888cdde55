// Chooses what span of time the charts show: a preset, two moments, or live. Also says how the live
// view is doing, in words.
import { useState } from 'react';
import type { Live } from '../logic/live';
import { customRange, PRESETS, type Preset, type Range } from '../logic/range';
import { CalendarIcon, DownloadIcon, PulseIcon } from './icons';

export interface RangeBarProps {
  range: Range;
  /** What the charts span now: the start for choosing other moments. */
  span: { from: number; to: number };
  live: Live;
  /** A part of the live window is being looked at. */
  frozen: boolean;
  onRange(range: Range): void;
  onFollow(): void;
  /** Null where there is nothing to keep, as in the live view. */
  onDownload: (() => void) | null;
  downloading: boolean;
}

const PRESET_WORDS: Record<Preset, string> = {
  '15m': '15 minutes',
  '1h': '1 hour',
  '6h': '6 hours',
  '24h': '24 hours',
  '7d': '7 days',
  '30d': '30 days',
};

export function RangeBar({ range, span, live, frozen, onRange, onFollow, onDownload, downloading }: RangeBarProps) {
  const [choosing, setChoosing] = useState(false);
  const isLive = range.kind === 'live';
  return (
    <div className="range-bar" role="toolbar" aria-label="Time range">
      <button type="button" className="button button-live" aria-pressed={isLive} onClick={() => onRange(isLive ? { kind: 'preset', preset: '15m' } : { kind: 'live' })} data-testid="live-toggle">
        <PulseIcon />
        Live
      </button>
      <div className="segmented" role="group" aria-label="Presets">
        {PRESETS.map((preset) => (
          <button key={preset} type="button" aria-label={`Last ${PRESET_WORDS[preset]}`} aria-pressed={range.kind === 'preset' && range.preset === preset} onClick={() => onRange({ kind: 'preset', preset })}>
            {preset}
          </button>
        ))}
        <button type="button" aria-pressed={range.kind === 'custom'} aria-expanded={choosing} aria-label="Choose a range" onClick={() => setChoosing(!choosing)}>
          <CalendarIcon />
          <span className="range-custom-word">Custom</span>
        </button>
      </div>
      {isLive && <LiveState live={live} />}
      {frozen && (
        <button type="button" className="button" onClick={onFollow}>
          Follow again
        </button>
      )}
      {onDownload && (
        <button type="button" className="button range-download" disabled={downloading} onClick={onDownload} aria-label="Download CSV" title="Download what the charts show as CSV">
          <DownloadIcon />
          <span className="range-download-word">{downloading ? 'Preparing…' : 'CSV'}</span>
        </button>
      )}
      {choosing && (
        <CustomRange
          span={span}
          onRange={(chosen) => {
            setChoosing(false);
            onRange(chosen);
          }}
        />
      )}
    </div>
  );
}

function LiveState({ live }: { live: Live }) {
  const words = { waiting: 'Waiting for the agent…', live: 'Live, every second', silent: `The agent does not answer: ${live.reason}` };
  return (
    <span className={`live-state live-${live.phase}`} role="status" data-testid="live-state" data-phase={live.phase}>
      <span className="live-dot" aria-hidden="true" />
      {words[live.phase]}
    </span>
  );
}

/** The value of a datetime-local field, in the viewer's zone. */
function fieldValue(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

function CustomRange({ span, onRange }: { span: { from: number; to: number }; onRange(range: Range): void }) {
  const [from, setFrom] = useState(() => fieldValue(span.from));
  const [to, setTo] = useState(() => fieldValue(span.to));
  const chosen = customRange(Date.parse(from), Date.parse(to));
  return (
    <form
      className="custom-range"
      aria-label="Custom range"
      onSubmit={(event) => {
        event.preventDefault();
        if (chosen) onRange(chosen);
      }}
    >
      <label>
        From
        <input type="datetime-local" value={from} onChange={(event) => setFrom(event.target.value)} />
      </label>
      <label>
        To
        <input type="datetime-local" value={to} onChange={(event) => setTo(event.target.value)} />
      </label>
      <button className="button button-primary" type="submit" disabled={!chosen}>
        Show
      </button>
      {!chosen && <span className="field-hint">The end must be after the start.</span>}
    </form>
  );
}
