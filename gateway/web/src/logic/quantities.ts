// Durations and amounts as people type them into a form, and back: "5 min", "1 h 30 min", "1.5 GiB".
// What cannot be read is null, and the form says so; whether it is allowed is the gateway's to say.

const DURATION_UNITS: readonly (readonly [unit: string, seconds: number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

const DURATION_NAMES: Record<string, number> = { s: 1, sec: 1, m: 60, min: 60, h: 3_600, hours: 3_600, d: 86_400, days: 86_400, w: 604_800 };

const DURATION_PART = /(\d+(?:\.\d+)?)\s*([a-z]+)/gu;

/** Whole seconds. Nothing typed is no time at all; a number needs a unit, but zero does not. */
export function readDuration(text: string): number | null {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === '' || trimmed === '0') return 0;
  let seconds = 0;
  for (const [, amount, name] of trimmed.matchAll(DURATION_PART)) {
    const unit = DURATION_NAMES[name ?? ''];
    if (unit === undefined) return null;
    seconds += Number(amount) * unit;
  }
  const rest = trimmed.replace(DURATION_PART, '').trim();
  return rest === '' ? Math.round(seconds) : null;
}

/** All of its parts, so that it reads back as the same. */
export function durationText(seconds: number): string {
  let rest = seconds;
  const parts: string[] = [];
  for (const [unit, size] of DURATION_UNITS) {
    const whole = Math.floor(rest / size);
    if (whole > 0) parts.push(`${whole} ${unit}`);
    rest -= whole * size;
  }
  return parts.length === 0 ? '0 s' : parts.join(' ');
}

const BYTE_SIZES: Record<string, number> = { '': 1, b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };

const BYTE_STEPS = ['TiB', 'GiB', 'MiB', 'KiB'] as const;

const AMOUNT = /^([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([^\d\s]*)$/iu;

function isBytes(unit: string): boolean {
  return unit === 'bytes' || unit === 'bytes_per_s';
}

/** In the metric's unit; sizes may be typed with a larger one. */
export function readAmount(text: string, unit: string): number | null {
  const found = AMOUNT.exec(text.trim());
  if (!found) return null;
  const amount = Number(found[1]);
  const suffix = (found[2] ?? '').toLowerCase();
  if (!isBytes(unit)) return suffix === '' || suffix === '%' || suffix === unitSuffix(unit).toLowerCase() ? amount : null;
  const size = BYTE_SIZES[suffix.replace(/\/s$/u, '')];
  return size === undefined ? null : Math.round(amount * size);
}

export function amountText(value: number | null, unit: string): string {
  if (value === null) return '';
  const step = isBytes(unit) ? BYTE_STEPS.find((one) => value !== 0 && Number.isInteger((value / (BYTE_SIZES[one.toLowerCase()] ?? 1)) * 10)) : undefined;
  return step === undefined ? String(value) : `${value / (BYTE_SIZES[step.toLowerCase()] ?? 1)} ${step}`;
}

const SUFFIXES: Record<string, string> = {
  percent: '%',
  bytes: 'bytes',
  bytes_per_s: 'bytes/s',
  packets_per_s: 'packets/s',
  per_s: '/s',
  ms: 'ms',
  mhz: 'MHz',
  rpm: 'rpm',
  watts: 'W',
  celsius: '°C',
  s: 's',
  lines_per_min: 'lines/min',
};

/** What stands behind a field, or nothing for a mere number. */
export function unitSuffix(unit: string): string {
  return SUFFIXES[unit] ?? '';
}
