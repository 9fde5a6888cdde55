// The live view of one host: waits for the agent, keeps the last five minutes of samples, and says
// so when the agent does not answer. A sample clears any complaint; silence after samples is
// "waiting" again, because the next one usually comes. Time is an argument.
import type { Process, Sample } from '../io/contract';
import type { Span } from './range';

export type LivePhase = 'waiting' | 'live' | 'silent';

export interface Live {
  readonly phase: LivePhase;
  /** Why the agent is silent, in the gateway's words. */
  readonly reason: string | null;
  /** Oldest first. */
  readonly samples: readonly Sample[];
  /** When the last one arrived, by the viewer's clock; null before the first. */
  readonly heardAt: number | null;
  /** The newest process lists that were not empty. */
  readonly topCpu: readonly Process[];
  readonly topMemory: readonly Process[];
}

/** What is kept and drawn. */
export const WINDOW_MS = 5 * 60_000;
/** The axis starts this wide and grows, so that the first seconds are not a sliver at the edge. */
export const FIRST_WINDOW_MS = 60_000;
/** Samples come each second; missing five of them is no jitter. */
export const SILENCE_MS = 5_000;

export const LIVE_START: Live = {
  phase: 'waiting',
  reason: null,
  samples: [],
  heardAt: null,
  topCpu: [],
  topMemory: [],
};

export function withSample(live: Live, sample: Sample, now: number): Live {
  const lastAt = live.samples.at(-1)?.at ?? 0;
  // Repeated or older than the newest: time in a chart only moves on.
  const fresh = sample.at > lastAt;
  const samples = fresh
    ? [...live.samples, sample].filter(({ at }) => at > sample.at - WINDOW_MS)
    : live.samples;
  const { top_cpu: topCpu, top_memory: topMemory } = sample.processes;
  return {
    phase: 'live',
    reason: null,
    samples,
    heardAt: now,
    topCpu: topCpu.length > 0 ? topCpu : live.topCpu,
    topMemory: topMemory.length > 0 ? topMemory : live.topMemory,
  };
}

export function withComplaint(live: Live, reason: string): Live {
  return { ...live, phase: 'silent', reason };
}

export function ticked(live: Live, now: number): Live {
  const quiet = live.heardAt === null || now - live.heardAt > SILENCE_MS;
  return live.phase === 'live' && quiet ? { ...live, phase: 'waiting' } : live;
}

export function liveSpan(samples: readonly Sample[], now: number): Span {
  const to = samples.at(-1)?.at ?? now;
  const first = samples[0]?.at ?? to;
  const width = Math.min(WINDOW_MS, Math.max(FIRST_WINDOW_MS, to - first));
  return { from: to - width, to };
}
