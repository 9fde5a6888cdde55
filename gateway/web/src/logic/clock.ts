// The gateway's time, judged from frames that carry it, because a viewer's clock may be wrong and
// "last seen 3 s ago" must not become "in 2 minutes". Small differences are ignored: they are the
// network's delay, not the clock's error.

export const TOLERANCE_MS = 2_000;

/** What to add to the local clock, given a frame sent at `sentAt` that arrived at `receivedAt`. */
export function clockOffsetMs(sentAt: number, receivedAt: number): number {
  const difference = sentAt - receivedAt;
  return Math.abs(difference) < TOLERANCE_MS ? 0 : difference;
}
