// How many lines there were over time, by severity, above the list of them.
import { count, moment } from '../logic/format';
import type { Bar, Bars } from '../logic/log-bars';

/** In units of the drawing, which is stretched to its place. */
const HEIGHT = 100;

export function LogHistogram({ bars }: { bars: Bars }) {
  const width = Math.max(1, bars.bars.length);
  return (
    <figure className="card log-bars" data-testid="log-bars">
      <figcaption>
        {count(bars.lines)} {bars.lines === 1 ? 'line' : 'lines'} in the last 24 hours
      </figcaption>
      <svg viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {bars.bars.map((bar, index) => (
          <Column key={bar.at} bar={bar} x={index} />
        ))}
      </svg>
    </figure>
  );
}

function Column({ bar, x }: { bar: Bar; x: number }) {
  const title = bar.lines === null ? 'not counted, there are too many lines' : `${count(bar.lines)} ${bar.lines === 1 ? 'line' : 'lines'}`;
  return (
    <g>
      <title>{`${moment(bar.at)}: ${title}`}</title>
      <rect className={bar.lines === null ? 'log-bar-unknown' : 'log-bar-back'} x={x} y={0} width={1} height={HEIGHT} />
      {bar.parts.map(({ severity, height, base }) => (
        <rect key={severity} className={`log-bar log-bar-${severity}`} x={x + 0.1} y={(1 - base - height) * HEIGHT} width={0.8} height={height * HEIGHT} />
      ))}
    </g>
  );
}
