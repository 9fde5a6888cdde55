// Bands over a chart where samples are missing or something held, and lines across it: elements in its
// plotting area, drawn by the stylesheet and hatched where samples are missing, because colour alone would be taken for a line. They let the pointer through, which
// belongs to the chart's cursor; what they say is written where the cursor's values are.
import type uPlot from 'uplot';
import type { Band } from '../logic/gaps';

/** Narrower could not be seen, nor pointed at. */
const PIXELS_MIN = 4;

export function paintBands(chart: uPlot, bands: readonly Band[]): void {
  const { over } = chart;
  const old = [...over.querySelectorAll<HTMLElement>('.chart-band')];
  bands.forEach((band, index) => place(chart, old[index] ?? over.insertBefore(document.createElement('div'), over.firstChild), band));
  for (const left of old.slice(bands.length)) left.remove();
}

function place(chart: uPlot, element: HTMLElement, band: Band): void {
  const width = chart.over.clientWidth;
  const left = Math.max(0, Math.min(width - PIXELS_MIN, chart.valToPos(band.from, 'x')));
  const right = Math.min(width, Math.max(left + PIXELS_MIN, chart.valToPos(band.to, 'x')));
  element.className = `chart-band ${band.tone === 'episode' ? 'chart-band-episode' : band.lost ? 'chart-band-lost' : ''}`;
  element.style.left = `${left}px`;
  element.style.width = `${right - left}px`;
}

/** A value that is drawn across the chart, such as the threshold of a rule. */
export interface Limit {
  value: number;
  words: string;
}

export function paintLimits(chart: uPlot, limits: readonly Limit[]): void {
  const { over } = chart;
  for (const old of over.querySelectorAll('.chart-limit')) old.remove();
  for (const { value, words } of limits) {
    const top = chart.valToPos(value, 'y');
    if (!Number.isFinite(top) || top < 0 || top > over.clientHeight) continue;
    const element = document.createElement('div');
    element.className = 'chart-limit';
    element.style.top = `${top}px`;
    element.title = words;
    over.insertBefore(element, over.firstChild);
  }
}

/** The band under the cursor, if it is over one. */
export function bandAt(chart: uPlot, bands: readonly Band[]): Band | undefined {
  const { left } = chart.cursor;
  if (left === undefined || left < 0) return undefined;
  const [from, to] = [chart.posToVal(left - PIXELS_MIN, 'x'), chart.posToVal(left + PIXELS_MIN, 'x')];
  return bands.find((band) => band.from <= to && band.to >= from);
}
