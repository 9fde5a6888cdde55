// What a completeness report comes to: everything accounted for, or how many messages are missing,
// in which words, and where in time. A repaired gap is no longer missing, a lost one always will be.
import type { ChannelCompleteness, Completeness, FleetBackfill, FleetChannel, Gap } from '../io/contract';
import { ago, count } from './format';
import type { Span } from './range';

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

export function messages(number: number): string {
  return `${count(number)} ${number === 1 ? 'message' : 'messages'}`;
}

/** The fleet's figures as a sentence. */
export function fleetSentence(channels: readonly FleetChannel[]): string {
  const missing = channels.reduce((sum, channel) => sum + channel.missing, 0);
  const lost = channels.reduce((sum, channel) => sum + channel.lost, 0);
  const known = channels.reduce((sum, channel) => sum + channel.stored + channel.dead, 0);
  if (missing === 0) return known === 0 ? 'No agent has sent anything yet.' : `All ${messages(known)} that agents ever sent are accounted for.`;
  const rest = missing - lost;
  if (lost === 0) return `${messages(rest)} ${rest === 1 ? 'is' : 'are'} missing and may still come: the agents are asked for ${rest === 1 ? 'it' : 'them'}.`;
  if (rest === 0) return `${messages(lost)} ${lost === 1 ? 'is' : 'are'} lost for good; all others are accounted for.`;
  return `${messages(missing)} are missing: ${count(lost)} lost for good, ${count(rest)} may still come.`;
}

/** What came late of a channel as a sentence. */
export function backfillSentence({ channel, hosts, ranges, messages: sum, latest_at }: FleetBackfill, now: number): string {
  const where = ranges === 1 ? 'one stretch of time' : `${count(ranges)} stretches of time`;
  const whose = hosts === 1 ? 'one host' : `${count(hosts)} hosts`;
  return `${channelWords(channel)}: ${messages(sum)} of ${where} of ${whose} came late and ${sum === 1 ? 'is' : 'are'} stored; the last ${ago(latest_at, now)}.`;
}

const CHANNEL_WORDS: Record<string, readonly [words: string, what: string]> = {
  telemetry: ['Telemetry', 'samples'],
  logs: ['Logs', 'lines'],
  signals: ['Signals', 'heartbeats and conditions'],
  inventory: ['Inventory', 'what a host is'],
};

export function channelWords(channel: string): string {
  return CHANNEL_WORDS[channel]?.[0] ?? channel;
}

export function channelHint(channel: string): string {
  return CHANNEL_WORDS[channel]?.[1] ?? '';
}

const STATE_WORDS: Record<string, string> = {
  open: 'Missing',
  repairing: 'Being sent again',
  lost: 'Lost',
  repaired: 'Repaired',
};

export function stateWords(gap: Gap): string {
  return STATE_WORDS[gap.state] ?? gap.state;
}

const CAUSE_WORDS: Record<string, string> = {
  dropped: 'the agent’s journal was full or damaged',
  trimmed: 'the broker lost it after the journal had kept it long enough',
  unknown_epoch: 'the agent was installed anew, its journal is gone',
  not_written: 'there was no such message',
};

export function causeWords(cause: string): string {
  return CAUSE_WORDS[cause] ?? cause;
}

/** Why it is missing still, or for good, and what was done about it. */
export function gapStory(gap: Gap): string {
  const asked = gap.attempts === 0 ? '' : `asked for ${gap.attempts === 1 ? 'once' : `${count(gap.attempts)} times`}`;
  if (gap.state === 'lost') return gap.cause === null ? 'nobody has it any more' : causeWords(gap.cause);
  if (gap.state === 'repairing') return asked === '' ? 'the agent is asked for it' : asked;
  return asked === '' ? 'not asked for yet, or its host does not answer' : `${asked}, to be asked for again`;
}

/** A stretch of time over a chart: of which samples are missing, unless its tone says otherwise. */
export interface Band extends Span {
  lost: boolean;
  words: string;
  /** Not samples that are missing, but a time in which something held. */
  tone?: 'episode';
}

/** Closer than this on a chart two gaps are one; as a part of what is shown. */
const NEAR = 1 / 200;

/**
 * Where samples are missing within a span, for charts: joined where they touch or nearly do, because
 * a thousand hairlines say less than one band.
 */
export function missingBands(report: Completeness, span: Span): Band[] {
  const telemetry = report.channels.find((channel) => channel.channel === 'telemetry');
  const stretches = (telemetry?.gaps ?? []).flatMap((gap) => {
    if (gap.from_at === null || gap.to_at === null) return [];
    const within = gap.to_at >= span.from && gap.from_at < span.to;
    return within ? [{ from: gap.from_at, to: gap.to_at, lost: gap.state === 'lost', messages: gapMessages(gap) }] : [];
  });
  const near = (span.to - span.from) * NEAR;
  const joined: typeof stretches = [];
  for (const stretch of stretches.toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && last.lost === stretch.lost && stretch.from - last.to <= near) {
      last.to = Math.max(last.to, stretch.to);
      last.messages += stretch.messages;
    } else joined.push({ ...stretch });
  }
  return joined.map(({ from, to, lost, messages: number }) => ({ from, to, lost, words: `${messages(number)} ${lost ? 'lost' : 'missing, may still come'}` }));
}
