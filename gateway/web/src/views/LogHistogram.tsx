// How many lines there were over time, by severity, above the list of them. A click on a bar asks for
// its time alone; with the keyboard the same is chosen in the bar of filters.
import { count, timeSpan } from '../logic/format';
import type { Bar, Bars } from '../logic/log-bars';
import { canZoom } from '../logic/log-time';
import { timeTicks } from '../logic/ticks';

export interface LogHistogramProps {
  bars: Bars;
  /** Of which time: "last 24 hours". */
  words: string;
  onZoom(from: number, to: number): void;
}

/** In units of the drawing, which is stretched to its place. */
const HEIGHT = 100;
/** As many labels as a phone has room for twice: it shows every other one. */
const TICKS_MAX = 10;

export function LogHistogram({ bars, words, onZoom }: LogHistogramProps) {
  const width = Math.max(1, bars.bars.length);
  const zoom = canZoom(bars.stepMs) ? onZoom : null;
  return (
    <figure className="card log-bars" data-testid="log-bars">
      <figcaption>
        <span>
          <b>{count(bars.lines)}</b> {bars.lines === 1 ? 'line' : 'lines'}, {words}
        </span>
        <Totals bars={bars} />
      </figcaption>
      <div className="log-bars-place">
        {bars.highest > 0 && <span className="log-bars-top">{count(bars.highest)}</span>}
        <svg viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" className={zoom ? 'log-bars-zoom' : undefined}>
          {bars.bars.map((bar, index) => (
            <Column key={bar.at} bar={bar} x={index} stepMs={bars.stepMs} onZoom={zoom} />
          ))}
        </svg>
      </div>
      <p className="log-axis" aria-hidden="true">
        {timeTicks(bars.from, bars.to, TICKS_MAX).map(({ part, label }) => (
          <span key={part} style={{ left: `${part * 100}%` }}>
            {label}
          </span>
        ))}
      </p>
    </figure>
  );
}

function Totals({ bars: { totals } }: { bars: Bars }) {
  return (
    <span className="log-totals">
      {totals.map(({ severity, lines }) => (
        <span key={severity}>
          <span className={`log-key log-key-${severity}`} aria-hidden="true" />
          {severity} {count(lines)}
        </span>
      ))}
    </span>
  );
}

interface ColumnProps {
  bar: Bar;
  x: number;
  stepMs: number;
  onZoom: LogHistogramProps['onZoom'] | null;
}

function Column({ bar, x, stepMs, onZoom }: ColumnProps) {
  return (
    <g onClick={() => onZoom?.(bar.at, bar.at + stepMs)}>
      <title>{`${timeSpan(bar.at, bar.at + stepMs)}: ${barWords(bar)}`}</title>
      <rect className={bar.lines === null ? 'log-bar-back log-bar-unknown' : 'log-bar-back'} x={x} y={0} width={1} height={HEIGHT} />
      {bar.parts.map(({ severity, height, base }) => (
        <rect key={severity} className={`log-bar log-bar-${severity}`} x={x + 0.1} y={(1 - base - height) * HEIGHT} width={0.8} height={height * HEIGHT} />
      ))}
    </g>
  );
}

function barWords(bar: Bar): string {
  if (bar.lines === null) return 'not counted, there are too many lines';
  const parts = bar.parts.map(({ severity, lines }) => `${count(lines)} ${severity}`);
  return parts.length === 0 ? 'no line' : parts.join(', ');
}
