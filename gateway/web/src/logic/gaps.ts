// What a host's completeness report comes to in one line: everything accounted for, or how many
// messages are missing. A repaired gap is no longer missing, a lost one always will be.
import type { ChannelCompleteness, Completeness, Gap } from '../io/contract';

export interface Verdict {
  complete: boolean;
  percent: number;
  missing: number;
}

export function gapMessages(gap: Gap): number {
  return gap.to - gap.from + 1;
}

/**
 * Lost messages stand in a gap too, be it one that is partly open; only where the list of gaps was
 * cut short can the channel's own count of them be the larger.
 */
export function missingOf(channel: ChannelCompleteness): number {
  const listed = channel.gaps
    .filter((gap) => gap.state !== 'repaired')
    .reduce((sum, gap) => sum + gapMessages(gap), 0);
  return Math.max(listed, channel.lost);
}

export function judge(report: Completeness): Verdict {
  const missing = report.channels.reduce((sum, channel) => sum + missingOf(channel), 0);
  return { complete: missing === 0 && report.percent >= 100, percent: report.percent, missing };
}
