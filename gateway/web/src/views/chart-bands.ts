// Bands over a chart where samples are missing: elements in its plotting area, because a picture
// could say neither when pointed at, and hatched, because colour alone would be taken for a line.
import type uPlot from 'uplot';
import { timeSpan } from '../logic/format';
import type { Band } from '../logic/gaps';

/** Narrower could not be pointed at. */
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
  element.title = `${band.words}: ${timeSpan(band.from, band.to)}`;
  element.style.left = `${left}px`;
  element.style.width = `${right - left}px`;
}
