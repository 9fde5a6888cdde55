// Bands over a chart where samples are missing: elements in its plotting area, hatched by the
// stylesheet, because colour alone would be taken for a line. They let the pointer through, which
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
  element.className = band.lost ? 'chart-band chart-band-lost' : 'chart-band';
  element.style.left = `${left}px`;
  element.style.width = `${right - left}px`;
}

/** The band under the cursor, if it is over one. */
export function bandAt(chart: uPlot, bands: readonly Band[]): Band | undefined {
  const { left } = chart.cursor;
  if (left === undefined || left < 0) return undefined;
  const [from, to] = [chart.posToVal(left - PIXELS_MIN, 'x'), chart.posToVal(left + PIXELS_MIN, 'x')];
  return bands.find((band) => band.from <= to && band.to >= from);
}
