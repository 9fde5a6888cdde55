// Numbers, sizes and times as people read them: three significant digits at most, binary units,
// one style everywhere. The locale is fixed to one with a decimal point, so that a copied value
// means the same in every report.

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
const COUNT_UNITS = ['', 'k', 'M', 'G'];
export const MISSING = '–';

/** What is not known is not zero. */
export function orMissing<T>(value: T | null | undefined, print: (value: T) => string): string {
  return value == null ? MISSING : print(value);
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(size >= 9.995 ? 1 : 2);
}

function scaled(value: number, base: number, units: readonly string[]): [string, string] {
  let size = value;
  let unit = 0;
  // 999.5 would print as "1000": it belongs to the next unit already.
  while (Math.abs(size) >= base - 0.5 && unit < units.length - 1) {
    size /= base;
    unit += 1;
  }
  return [threeDigits(unit === 0 ? Math.round(size) : size), units[unit] ?? ''];
}

export function bytes(value: number): string {
  const [digits, unit] = scaled(value, 1024, BYTE_UNITS);
  return `${digits} ${unit}`;
}

export function bytesPerSecond(value: number): string {
  return `${bytes(value)}/s`;
}

export function percent(value: number): string {
  return `${value.toFixed(Math.abs(value) < 99.95 ? 1 : 0)} %`;
}

/** Never rounds up to 100: "100 %" must mean nothing is missing. */
export function share(value: number): string {
  if (value >= 100) return '100 %';
  return `${Math.min(99.99, value).toFixed(value > 99 ? 2 : 1)} %`;
}

/** The same with all the digits the gateway gives. */
export function exactShare(value: number): string {
  return value >= 100 ? '100 %' : `${value.toFixed(2)} %`;
}

export function load(value: number): string {
  return value.toFixed(2);
}

export function celsius(value: number): string {
  return `${value.toFixed(value < 99.95 ? 1 : 0)} °C`;
}

export function count(value: number): string {
  const whole = Math.round(value);
  if (Math.abs(whole) < 100_000) return whole.toLocaleString('en-US');
  const [digits, unit] = scaled(whole, 1000, COUNT_UNITS);
  return `${digits}${unit}`;
}

/** The two largest units of a span: "12 d 4 h". */
export function duration(ms: number): string {
  const units: [number, string][] = [
    [DAY, 'd'],
    [HOUR, 'h'],
    [MINUTE, 'min'],
    [SECOND, 's'],
  ];
  const at = units.findIndex(([size]) => ms >= size);
  if (at === -1) return '0 s';
  const [size, name] = units[at] as [number, string];
  const whole = Math.floor(ms / size);
  const next = units[at + 1];
  const rest = next ? Math.floor((ms % size) / next[0]) : 0;
  return next && rest > 0 ? `${whole} ${name} ${rest} ${next[1]}` : `${whole} ${name}`;
}

/** One unit, ticking: "8 s ago". A time slightly ahead is "now", not a negative span. */
export function ago(at: number, now: number): string {
  const ms = now - at;
  if (ms < 2 * SECOND) return 'now';
  if (ms < 2 * MINUTE) return `${Math.floor(ms / SECOND)} s ago`;
  if (ms < 2 * HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h ago`;
  return `${Math.floor(ms / DAY)} d ago`;
}

const two = (value: number): string => String(value).padStart(2, '0');

export function clockTime(ms: number, withSeconds = false): string {
  const date = new Date(ms);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return withSeconds ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

export function day(ms: number): string {
  return new Date(ms).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
}

/** A day as the database keeps it: days of UTC. */
export function utcDay(ms: number): string {
  return new Date(ms).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
}

/** A whole moment in local time, as a tooltip or a table shows it. */
export function moment(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockTime(ms, true)}`;
}

/** The same without what a file's name cannot have: "2026-11-21T0912". */
export function fileStamp(ms: number): string {
  return moment(ms).slice(0, -3).replace(' ', 'T').replace(':', '');
}

/** From one moment to another, naming the day once where it is the same. */
export function timeSpan(from: number, to: number): string {
  const sameDay = new Date(from).toDateString() === new Date(to).toDateString();
  const withSeconds = to - from < 10 * MINUTE;
  const begun = `${day(from)} ${clockTime(from, withSeconds)}`;
  if (to - from < SECOND) return begun;
  return `${begun} – ${sameDay ? '' : `${day(to)} `}${clockTime(to, withSeconds)}`;
}

/** Turns a reason as a log would word it into what a page can show. */
export function asSentence(reason: string): string {
  const begun = reason.charAt(0).toUpperCase() + reason.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/** What went wrong, as a page can show it. */
export function failureSentence(failure: unknown): string {
  return asSentence(failure instanceof Error ? failure.message : String(failure));
}

export function milliseconds(value: number): string {
  return Math.abs(value) >= 1000 ? `${threeDigits(value / 1000)} s` : `${threeDigits(value)} ms`;
}

export function perSecond(value: number): string {
  return `${threeDigits(value)}/s`;
}

export function megahertz(value: number): string {
  return value >= 1000 ? `${threeDigits(value / 1000)} GHz` : `${threeDigits(value)} MHz`;
}

export function rpm(value: number): string {
  return `${count(value)} rpm`;
}

/** A value of which only its host knows what it means. */
export function plain(value: number): string {
  if (Math.abs(value) >= 100_000) return count(value);
  return threeDigits(value);
}

export type Unit =
  | 'percent'
  | 'bytes'
  | 'bytes_per_s'
  | 'count'
  | 'load'
  | 'celsius'
  | 'ms'
  | 'per_s'
  | 'mhz'
  | 'rpm'
  | 'plain';

const FORMATS: Record<Unit, (value: number) => string> = {
  percent,
  bytes,
  bytes_per_s: bytesPerSecond,
  count,
  load,
  celsius,
  ms: milliseconds,
  per_s: perSecond,
  mhz: megahertz,
  rpm,
  plain,
};

export function inUnit(unit: Unit, value: number | null | undefined): string {
  return value === null || value === undefined ? MISSING : FORMATS[unit](value);
}
