// The span of time a host page shows, and how it is written into the address, so that a link opens
// the same view. Leaves out the clock: now is an argument.

export const PRESETS = ['15m', '1h', '6h', '24h', '7d', '30d'] as const;
export type Preset = (typeof PRESETS)[number];

export type Range =
  | { kind: 'live' }
  | { kind: 'preset'; preset: Preset }
  | { kind: 'custom'; from: number; to: number };

export const FIRST_RANGE: Range = { kind: 'preset', preset: '15m' };

const MINUTE = 60_000;

export const PRESET_MS: Record<Preset, number> = {
  '15m': 15 * MINUTE,
  '1h': 60 * MINUTE,
  '6h': 6 * 60 * MINUTE,
  '24h': 24 * 60 * MINUTE,
  '7d': 7 * 24 * 60 * MINUTE,
  '30d': 30 * 24 * 60 * MINUTE,
};

/** Narrower than a few samples there is nothing to see, and an accidental click is not a zoom. */
export const CUSTOM_MS_MIN = 10_000;

/** Refreshing faster than this shows nothing new: it is below the usual sampling interval. */
const REFRESH_MS_MIN = 5_000;
/** Even a month's view should move while somebody looks at it. */
const REFRESH_MS_MAX = 5 * MINUTE;

function isPreset(text: string | null): text is Preset {
  return PRESETS.includes(text as Preset);
}

export function rangeFromSearch(search: string): Range {
  const query = new URLSearchParams(search);
  if (query.get('range') === 'live') return { kind: 'live' };
  const preset = query.get('range');
  if (isPreset(preset)) return { kind: 'preset', preset };
  return customRange(Number(query.get('from') ?? Number.NaN), Number(query.get('to') ?? Number.NaN)) ?? FIRST_RANGE;
}

export function rangeToSearch(range: Range): string {
  if (range.kind === 'live') return '?range=live';
  if (range.kind === 'preset') return `?range=${range.preset}`;
  return `?from=${range.from}&to=${range.to}`;
}

/** The same middle, but wide enough to see something. */
export function widened(from: number, to: number): Span {
  const lacking = Math.max(0, CUSTOM_MS_MIN - (to - from));
  return { from: Math.round(from - lacking / 2), to: Math.round(to + lacking / 2) };
}

/** Null where the two times make no range. */
export function customRange(from: number, to: number): Range | null {
  if (!Number.isFinite(from) || !Number.isFinite(to) || to - from < CUSTOM_MS_MIN) return null;
  return { kind: 'custom', from: Math.round(from), to: Math.round(to) };
}

export interface Span {
  from: number;
  to: number;
}

export function spanOf(range: Exclude<Range, { kind: 'live' }>, now: number): Span {
  if (range.kind === 'custom') return { from: range.from, to: range.to };
  return { from: now - PRESET_MS[range.preset], to: now };
}

/** When to ask again, or null for a span that has ended and will not change. */
export function refreshMs(range: Range, stepMs: number, now: number): number | null {
  if (range.kind === 'live') return null;
  if (range.kind === 'custom' && range.to < now) return null;
  return Math.min(REFRESH_MS_MAX, Math.max(REFRESH_MS_MIN, stepMs));
}
