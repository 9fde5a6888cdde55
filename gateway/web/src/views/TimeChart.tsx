// One chart with its legend: a uPlot instance that is rebuilt when its lines, unit or colours
// change, and otherwise only fed. Values under the cursor are written into the legend directly,
// because a React render for each mouse move of ten linked charts would be felt.
import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { isEmpty, lastValue, type ChartData } from '../logic/chart-data';
import { inUnit, moment, type Unit } from '../logic/format';
import type { Band } from '../logic/gaps';
import { bandAt, paintBands, paintLimits, type Limit } from './chart-bands';
import { chartOptions, columnOf, readPalette } from './chart-options';

export interface TimeChartProps {
  unit: Unit;
  data: ChartData;
  ceiling: number | null;
  /** Where samples are missing, or something held. */
  bands: readonly Band[];
  limits?: readonly Limit[];
  /** Only its change matters: the colours are read from the stylesheet. */
  theme: string;
  onZoom(from: number, to: number): void;
  onZoomOut(): void;
}

const NO_LIMITS: readonly Limit[] = [];
const HEIGHT = 190;
/** Narrower than this a drag was a click. */
const DRAG_PIXELS_MIN = 6;

export function TimeChart({ unit, data, ceiling, bands, limits = NO_LIMITS, theme, onZoom, onZoomOut }: TimeChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLUListElement>(null);
  const chart = useRef<uPlot | null>(null);
  const current = useRef({ data, ceiling, bands, limits, onZoom, onZoomOut, unit });
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const build = `${theme} ${unit} ${data.lines.map((line) => line.key + Boolean(line.peak)).join()}`;

  useEffect(() => {
    current.current = { data, ceiling, bands, limits, onZoom, onZoomOut, unit };
  });

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const options = chartOptions(
      {
        unit,
        lines: current.current.data.lines,
        palette: readPalette(),
        scales: {
          span: () => [current.current.data.from, current.current.data.to],
          ceiling: () => current.current.ceiling,
          limits: () => current.current.limits.map(({ value }) => value),
        },
        onCursor: (made) => writeLegend(legend.current, made, current.current),
        onSelect: (made) => takeSelection(made, current.current.onZoom),
        onDoubleClick: () => current.current.onZoomOut(),
        onDraw: (made) => paintOver(made, current.current),
      },
      element.clientWidth,
      HEIGHT,
    );
    const made = new uPlot(options, columns(current.current.data), element);
    chart.current = made;
    const resize = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== made.width) made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [build, unit]);

  useEffect(() => {
    const made = chart.current;
    if (!made) return;
    made.setData(columns(data));
    writeLegend(legend.current, made, { data, unit, bands: current.current.bands });
  }, [data, ceiling, limits, unit, build]);

  useEffect(() => {
    if (chart.current) paintBands(chart.current, bands);
  }, [bands, build]);

  useEffect(() => showChosen(chart.current, current.current.data, hidden), [hidden, build]);

  const toggle = (key: string) => setHidden(toggled(hidden, key));
  return (
    <>
      <div className="chart-place" ref={place}>
        {isEmpty(data) && <p className="chart-empty">No samples in this range</p>}
      </div>
      <Legend list={legend} data={data} limits={limits} hidden={hidden} onToggle={toggle} />
    </>
  );
}

function paintOver(chart: uPlot, { bands, limits }: { bands: readonly Band[]; limits: readonly Limit[] }): void {
  paintBands(chart, bands);
  paintLimits(chart, limits);
}

function columns(data: ChartData): uPlot.AlignedData {
  return [data.timestamps, ...data.lines.flatMap((line) => (line.peak ? [line.values, line.peak] : [line.values]))];
}

function toggled(set: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(key)) next.add(key);
  return next;
}

function showChosen(chart: uPlot | null, data: ChartData, hidden: ReadonlySet<string>): void {
  if (!chart) return;
  data.lines.forEach((line, index) => {
    const show = !hidden.has(line.key);
    const column = columnOf(data.lines, index);
    chart.setSeries(column, { show });
    if (line.peak) chart.setSeries(column + 1, { show });
  });
}

function takeSelection(chart: uPlot, onZoom: TimeChartProps['onZoom']): void {
  const { left, width } = chart.select;
  if (width < DRAG_PIXELS_MIN) return;
  const from = chart.posToVal(left, 'x');
  const to = chart.posToVal(left + width, 'x');
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  onZoom(from, to);
}

/** The values under the cursor, or the newest ones when the pointer is elsewhere. */
function writeLegend(list: HTMLUListElement | null, chart: uPlot, shown: Pick<TimeChartProps, 'data' | 'unit' | 'bands'>): void {
  if (!list) return;
  const index = chart.cursor.idx ?? null;
  const places = list.querySelectorAll<HTMLElement>('.legend-value');
  shown.data.lines.forEach((line, at) => {
    const place = places[at];
    if (!place) return;
    const value = index === null ? lastValue(line.values) : line.values[index];
    const peak = index === null ? null : line.peak?.[index];
    const text = inUnit(shown.unit, value);
    place.textContent = peak == null ? text : `${text} (peak ${inUnit(shown.unit, peak)})`;
  });
  const time = list.querySelector('.legend-time');
  const at = index === null ? undefined : shown.data.timestamps[index];
  const band = index === null ? undefined : bandAt(chart, shown.bands);
  if (time) time.textContent = [...(band ? [band.words] : []), ...(at === undefined ? [] : [moment(at)])].join(', ');
  time?.classList.toggle('legend-missing', band !== undefined);
}

interface LegendProps {
  list: React.RefObject<HTMLUListElement | null>;
  data: ChartData;
  limits: readonly Limit[];
  hidden: ReadonlySet<string>;
  onToggle(key: string): void;
}

function Legend({ list, data, limits, hidden, onToggle }: LegendProps) {
  return (
    <ul className="legend" ref={list}>
      {data.lines.map((line) => (
        <li key={line.key}>
          <button type="button" aria-pressed={!hidden.has(line.key)} onClick={() => onToggle(line.key)} title={`Show or hide ${line.label}`}>
            <span className={line.dashed ? 'swatch swatch-dashed' : 'swatch'} style={{ color: `var(--chart-${(line.color % 8) + 1})` }} aria-hidden="true" />
            {line.label}
          </button>
          <span className="legend-value" />
        </li>
      ))}
      {data.hidden > 0 && <li className="legend-more">and {data.hidden} quieter ones</li>}
      {limits.map(({ words }) => (
        <li key={words} className="legend-limit">
          <span className="swatch swatch-limit" aria-hidden="true" />
          {words}
        </li>
      ))}
      <li className="legend-time" aria-hidden="true" />
    </ul>
  );
}

