// What a draft of a rule would have done, for people: in a sentence, as strips of time by host, and
// around the metric of one host. Leaves out running it and drawing.
import type { Backtest, ConditionKind, Episode, VocabularyMetric } from '../io/contract-rules';
import { count, duration } from './format';
import type { Band } from './gaps';
import type { Span } from './range';

export const BACKTEST_DAYS = [1, 7, 30] as const;

/** Why there is nothing to test by, or nothing where there is. */
export function untestable(kind: ConditionKind, metric: string, metrics: readonly VocabularyMetric[]): string {
  if (kind === 'offline') return 'No sample says when a host was offline.';
  return metrics.some(({ name, has_samples }) => name === metric.trim() && !has_samples) ? 'Samples do not hold this metric: agents judge it as it happens.' : '';
}

export function episodesTotal({ episodes, episodes_total }: Backtest): number {
  return Math.max(episodes.length, episodes_total ?? 0);
}

function times(number: number): string {
  return number === 1 ? 'once' : `${count(number)} times`;
}

function hostsWords(number: number): string {
  return `${count(number)} ${number === 1 ? 'host' : 'hosts'}`;
}

/** The whole of it. */
export function backtestSentence(result: Backtest): string {
  const total = episodesTotal(result);
  const where = `${hostsWords(result.hosts)} in ${duration(result.to - result.from)}`;
  if (result.hosts_selected === 0) return 'It selects no host: nothing can be said.';
  if (result.samples === 0) return `No sample of its metric is stored of ${where}: nothing can be said.`;
  if (total === 0) return `It would not have fired: ${where} were looked at.`;
  const hosts = new Set(result.episodes.map(({ host }) => host ?? '')).size;
  const whose = result.hosts === 1 || result.episodes.every(({ host }) => host === null) ? '' : ` on ${count(hosts)} of ${hostsWords(result.hosts)}`;
  const paged = result.pages === 0 ? 'nobody would have been paged' : `somebody would have been paged ${times(result.pages)}`;
  return `It would have fired ${times(total)}${whose} in ${duration(result.to - result.from)}; ${paged}.`;
}

/** It would not have fired, and that was seen. */
export function isCalm(result: Backtest): boolean {
  return episodesTotal(result) === 0 && result.samples > 0;
}

/** What the answer does not cover; nothing where it covers all. */
export function backtestLimits(result: Backtest): string[] {
  const limits: string[] = [];
  if (result.hosts < result.hosts_selected) limits.push(`${count(result.hosts)} of the ${count(result.hosts_selected)} hosts that it selects were tested.`);
  if (result.resolution_s !== null && result.resolution_s >= 60) limits.push(`Samples were read as the lowest and highest of each ${duration(result.resolution_s * 1000)}: times are right to within that.`);
  if (result.is_partial) limits.push('It took too long or there was too much to read: some of the time or of the hosts was left out.');
  if (episodesTotal(result) > result.episodes.length) limits.push(`The first ${count(result.episodes.length)} episodes are listed.`);
  return limits;
}

export interface StripPart {
  /** Percent of the strip. */
  left: number;
  width: number;
  episode: Episode;
  pages: boolean;
}

export interface HostStrip {
  /** Empty for a group of hosts. */
  host: string;
  episodes: number;
  totalMs: number;
  parts: StripPart[];
}

export function endOf(episode: Episode, { to }: Span): number {
  return episode.to ?? to;
}

/** One strip a host, those that fired longest first. */
export function stripsOf(result: Backtest): HostStrip[] {
  const whole = Math.max(1, result.to - result.from);
  const strips = new Map<string, HostStrip>();
  for (const episode of result.episodes) {
    const host = episode.host ?? '';
    const strip = strips.get(host) ?? { host, episodes: 0, totalMs: 0, parts: [] };
    const lasted = Math.max(0, endOf(episode, result) - episode.from);
    strip.episodes += 1;
    strip.totalMs += lasted;
    strip.parts.push({ left: ((episode.from - result.from) / whole) * 100, width: (lasted / whole) * 100, episode, pages: episode.would_page_at !== null });
    strips.set(host, strip);
  }
  return [...strips.values()].toSorted((a, b) => b.totalMs - a.totalMs || a.host.localeCompare(b.host));
}

/** Of one host, over its metric. */
export function episodeBands(result: Backtest, host: string): Band[] {
  return result.episodes
    .filter((episode) => episode.host === host)
    .map((episode) => {
      const to = endOf(episode, result);
      return { from: episode.from, to, lost: false, tone: 'episode', words: `would have fired for ${duration(to - episode.from)}` };
    });
}

/** An episode with enough around it to see what was usual. */
export function spanOfEpisode(episode: Episode, whole: Span): Span {
  const to = endOf(episode, whole);
  const around = Math.max(15 * 60_000, (to - episode.from) / 2);
  return { from: Math.max(whole.from, episode.from - around), to: Math.min(whole.to, to + around) };
}
