// When a share of something is worth a warmer colour. These are hints for the eye, not alerts:
// rules and their thresholds live in the alert worker.

export type Level = 'calm' | 'warm' | 'hot';

export function usageLevel(percent: number | null): Level {
  if (percent === null || percent < 75) return 'calm';
  return percent < 90 ? 'warm' : 'hot';
}
