// How long to wait before the next try to connect: doubling, bounded, and spread out, so that a
// restarted gateway is not met by every open dashboard in the same instant. The chance is an argument.

/** Short enough that a restart of the gateway is hardly noticed. */
export const FIRST_DELAY_MS = 500;
/** A person who waits should see it come back within half a minute of the gateway. */
export const DELAY_MS_MAX = 30_000;

/** The pause before try `attempt` (from 0); `chance` is in [0, 1) and takes off up to half. */
export function retryDelayMs(attempt: number, chance: number): number {
  const full = Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * 2 ** Math.min(attempt, 30));
  return Math.round(full * (1 - chance / 2));
}
