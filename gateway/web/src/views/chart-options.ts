// What uPlot needs to draw one of our charts: scales, axes, lines and the shared cursor, in the
// colours of the theme. Leaves out data and events of the page; TimeChart.tsx owns the instance.
import type uPlot from 'uplot';
import type { ChartLine } from '../logic/chart-data';
import { bytes, bytesPerSecond, inUnit, type Unit } from '../logic/format';
import { amountTop, BYTE_STEPS, LEAST_RATE, percentTop, TIME_STEPS, timeLabel } from '../logic/ticks';

export interface Palette {
  lines: string[];
  grid: string;
  text: string;
}

const PALETTE_SIZE = 8;
const SYNC_KEY = 'muster-host';
const FONT = '11px "Inter Variable", system-ui, sans-serif';

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    lines: Array.from({ length: PALETTE_SIZE }, (_, index) => read(`--chart-${index + 1}`)),
    grid: read('--chart-grid'),
    text: read('--chart-text'),
  };
}

export function lineColor(palette: Palette, line: ChartLine): string {
  return palette.lines[line.color % palette.lines.length] ?? 'gray';
}

export interface Scales {
  /** The time span, read anew at each drawing. */
  span(): [number, number];
  /** The value at which the host is full, if there is one. */
  ceiling(): number | null;
  /** Values that have to be in sight, such as a threshold. */
  limits(): readonly number[];
}

export interface Drawing {
  unit: Unit;
  lines: readonly ChartLine[];
  palette: Palette;
  scales: Scales;
  onCursor(chart: uPlot): void;
  onSelect(chart: uPlot): void;
  onDoubleClick(): void;
  /** After each drawing: what lies over the chart has to follow it. */
  onDraw(chart: uPlot): void;
}

export function chartOptions(drawing: Drawing, width: number, height: number): uPlot.Options {
  const { lines, palette } = drawing;
  return {
    width,
    height,
    ms: 1,
    padding: [10, 20, 0, 0],
    legend: { show: false },
    cursor: cursorOptions(drawing.onDoubleClick),
    scales: {
      x: { time: true, range: () => drawing.scales.span() },
      y: { range: (_chart, low, high) => verticalRange(drawing, low ?? 0, high ?? 0) },
    },
    axes: [timeAxis(palette), valueAxis(palette, drawing.unit)],
    series: [{}, ...lines.flatMap((line) => seriesOf(line, lines.length === 1, palette))],
    bands: bandsOf(lines, palette),
    hooks: { setCursor: [drawing.onCursor], setSelect: [drawing.onSelect], draw: [drawing.onDraw] },
  };
}

/** Moves are shared between charts, clicks are not: a drag in one must not zoom them all at once. */
function isShared(type: string): boolean {
  return type === 'mousemove' || type === 'mouseleave';
}

function cursorOptions(onDoubleClick: () => void): uPlot.Cursor {
  return {
    y: false,
    points: { size: 7 },
    drag: { x: true, y: false, setScale: false },
    sync: { key: SYNC_KEY, scales: ['x', null], setSeries: false, filters: { pub: isShared, sub: isShared } },
    bind: { dblclick: () => () => (onDoubleClick(), null) },
  };
}

/** Only what a host's own scripts measure may be below zero. */
function verticalRange({ unit, scales }: Drawing, drawnLowest: number, drawnHighest: number): [number, number] {
  const lowest = Math.min(drawnLowest, ...scales.limits());
  const highest = Math.max(drawnHighest, ...scales.limits());
  const full = scales.ceiling();
  if (full !== null) return [0, Math.max(full, highest)];
  if (unit === 'plain' && lowest < 0) return [lowest * 1.1, Math.max(0, highest * 1.1)];
  if (unit === 'percent') return [0, percentTop(highest)];
  if (unit === 'celsius') return [0, amountTop(highest, 60)];
  if (unit === 'load') return [0, amountTop(highest, 1)];
  if (unit === 'bytes' || unit === 'bytes_per_s') return [0, amountTop(highest, LEAST_RATE)];
  return [0, amountTop(highest, unit === 'count' ? 10 : 1)];
}

function timeAxis(palette: Palette): uPlot.Axis {
  return {
    stroke: palette.text,
    font: FONT,
    size: 26,
    space: 64,
    incrs: TIME_STEPS,
    grid: { stroke: palette.grid, width: 1 },
    ticks: { show: false },
    values: (_chart, splits, _axis, _space, step) => splits.map((at) => timeLabel(at, step)),
  };
}

function valueAxis(palette: Palette, unit: Unit): uPlot.Axis {
  const binary = unit === 'bytes' || unit === 'bytes_per_s';
  return {
    stroke: palette.text,
    font: FONT,
    size: 62,
    space: 34,
    gap: 6,
    grid: { stroke: palette.grid, width: 1 },
    ticks: { show: false },
    ...(binary && { incrs: BYTE_STEPS }),
    values: (_chart, splits) => splits.map((value) => tickLabel(unit, value)),
  };
}

function tickLabel(unit: Unit, value: number): string {
  if (unit === 'bytes') return bytes(value);
  if (unit === 'bytes_per_s') return bytesPerSecond(value);
  if (unit === 'percent') return `${value} %`;
  if (unit === 'celsius') return `${value} °C`;
  if (unit === 'ms' || unit === 'mhz' || unit === 'per_s') return inUnit(unit, value);
  return value.toLocaleString('en-US');
}

function seriesOf(line: ChartLine, alone: boolean, palette: Palette): uPlot.Series[] {
  const stroke = lineColor(palette, line);
  const drawn: uPlot.Series = {
    stroke,
    width: 1.5,
    spanGaps: false,
    points: { show: true, size: 4, fill: stroke, filter: lonelyPoints },
    ...(line.dashed && { dash: [5, 3] }),
    ...(alone && { fill: (chart: uPlot) => fade(chart, stroke) }),
  };
  if (!line.peak) return [drawn];
  const peak: uPlot.Series = { stroke: `${stroke}66`, width: 1, spanGaps: false, points: { show: false } };
  return [drawn, peak];
}

/** A value between two gaps has no line to be on; it is drawn as a point. */
function lonelyPoints(chart: uPlot, index: number): number[] {
  const values = chart.data[index] ?? [];
  const lonely: number[] = [];
  for (let at = 0; at < values.length; at += 1) {
    if (values[at] != null && values[at - 1] == null && values[at + 1] == null) lonely.push(at);
  }
  return lonely;
}

function fade(chart: uPlot, color: string): CanvasGradient | string {
  const { top, height } = chart.bbox;
  if (!Number.isFinite(top) || height <= 0) return 'transparent';
  const gradient = chart.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, `${color}40`);
  gradient.addColorStop(1, `${color}05`);
  return gradient;
}

function bandsOf(lines: readonly ChartLine[], palette: Palette): uPlot.Band[] {
  const bands: uPlot.Band[] = [];
  let index = 1;
  for (const line of lines) {
    if (line.peak) bands.push({ series: [index + 1, index], fill: `${lineColor(palette, line)}1f` });
    index += line.peak ? 2 : 1;
  }
  return bands;
}

/** Where line n stands among the columns of the chart: a peak takes one of its own. */
export function columnOf(lines: readonly ChartLine[], line: number): number {
  return 1 + line + lines.slice(0, line).filter((one) => one.peak).length;
}
