// The river as a page shows it: each stage with what matters of it, what flows into it, and how
// long it can hold. Leaves out the clock: the gateway's own time of the answer is the present.
import type { Pipeline, StageName, StageState, Verdict, Worker } from '../io/contract-pipeline';
import { asSentence, bytes, bytesPerSecond, count, duration, milliseconds, MISSING, percent, plain } from './format';
import type { Level } from './level';

/** In the order of the river. */
const STAGES: readonly StageName[] = ['agents', 'broker', 'workers', 'database'];

export const STATE_WORDS: Record<StageState, string> = { ok: 'OK', held: 'Held', down: 'Down' };

export const STAGE_WORDS: Record<StageName, string> = { agents: 'Agents', broker: 'Broker', workers: 'Workers', database: 'Database' };

/** What is read every 2 s is old after that and some slowness, and what is counted every 15 s after that. */
const OLD_AFTER_MS = 10_000;
const COUNTED_OLD_AFTER_MS = 45_000;

type Part = StageName | 'ledger' | 'dead_letters';

const COUNTED: readonly Part[] = ['agents', 'ledger'];

/** A trickle fills nothing: what lasts longer is not worth a number. */
const HOLD_S_MAX = 365 * 86_400;

export interface StageHold {
  words: string;
  level: Level;
}

export interface StageView {
  name: StageName;
  title: string;
  state: StageState;
  /** It is why the pipeline is not all right. */
  heldHere: boolean;
  sentence: string;
  hold: StageHold | null;
  /** When its figures were read, where that is long ago. */
  oldSince: number | null;
  figures: readonly (readonly [name: string, value: string])[];
  /** What arrives from the stage before, and whether anything does. */
  inflow: { words: string; moves: boolean } | null;
}

export function holdTime(seconds: number | null): string {
  if (seconds === null) return MISSING;
  return seconds >= HOLD_S_MAX ? 'over a year' : duration(Math.max(0, seconds) * 1000);
}

export function lagTime(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds * 1000);
}

/** What there is room for, and how worrying that is while nothing leaves the stage. */
function holdOf(name: StageName, verdict: Verdict, isHeld: boolean): StageHold | null {
  const seconds = verdict.can_hold_s;
  if (seconds === null || name === 'database') return null;
  const time = holdTime(seconds);
  const what = name === 'agents' ? 'Journals' : 'Streams';
  // Workers hold nothing themselves.
  if (name === 'workers' && seconds > 0) return { words: `Safe in the streams for ${time}`, level: 'calm' };
  if (!isHeld) return { words: `${what} could hold ${time}`, level: 'calm' };
  if (seconds <= 0) return { words: `${what} are full: the oldest is dropped`, level: 'hot' };
  return { words: `${what} hold ${time} more`, level: seconds < 600 ? 'hot' : seconds < 3_600 ? 'warm' : 'calm' };
}

/** When the figures of a part were read, where that is long ago. */
export function oldSince(pipeline: Pipeline, part: Part): number | null {
  const { as_of: asOf } = pipeline[part];
  const limit = COUNTED.includes(part) ? COUNTED_OLD_AFTER_MS : OLD_AFTER_MS;
  return asOf !== null && pipeline.at - asOf > limit ? asOf : null;
}

/** What it has cannot leave: because of itself, or of the stage after it. */
function isBlocked(pipeline: Pipeline, name: StageName): boolean {
  const [own, next] = STAGES.slice(STAGES.indexOf(name));
  return [own, next].some((stage) => stage !== undefined && pipeline[stage].state !== 'ok');
}

export function stagesOf(pipeline: Pipeline): StageView[] {
  return STAGES.map((name) => {
    const verdict = pipeline[name];
    const old = oldSince(pipeline, name);
    return {
      name,
      title: STAGE_WORDS[name],
      state: verdict.state,
      heldHere: pipeline.held_at === name,
      sentence: asSentence(verdict.sentence),
      hold: holdOf(name, verdict, isBlocked(pipeline, name)),
      oldSince: old,
      figures: FIGURES[name](pipeline),
      inflow: inflowOf(name, pipeline, old !== null),
    };
  });
}

/**
 * Where it is held, and how long that costs nothing; null where nothing is held. Streams go on taking
 * messages when they are full, and drop their oldest: journals hold only what the broker does not take.
 */
export function heldWords({ state, held_at: at, agents, broker }: Pipeline): string | null {
  if (at === null) return null;
  const where = `${state === 'down' ? 'It stops' : 'It is held'} at the ${STAGE_WORDS[at].toLowerCase()}.`;
  const inStreams = at === 'workers' || at === 'database';
  const seconds = (inStreams ? broker : agents).can_hold_s;
  if (seconds === null) return where;
  if (seconds <= 0) return `${where} ${inStreams ? 'A stream is at its limit' : 'A journal is full'}, and its oldest messages are dropped.`;
  return `${where} ${inStreams ? 'The streams hold' : 'The fullest journal holds'} ${holdTime(seconds)} more; after that the oldest messages are dropped.`;
}

const FIGURES: Record<StageName, (pipeline: Pipeline) => StageView['figures']> = {
  agents: ({ agents }) => [
    ['Hosts', count(agents.hosts)],
    ['Waiting', `${count(agents.waiting)} from ${count(agents.hosts_with_backlog)}`],
    ['Journals', bytes(agents.bytes)],
    ['Fullest', agents.fullest ? percent(agents.fullest.full_percent) : MISSING],
  ],
  broker: ({ broker }) => [
    ['Messages', count(sum(broker.streams, (stream) => stream.messages))],
    ['Size', bytes(sum(broker.streams, (stream) => stream.bytes))],
    ['Unacked', count(sum(broker.consumers, (consumer) => consumer.ack_pending))],
    ['Fullest', percent(Math.max(0, ...broker.streams.map(fillOf)))],
  ],
  workers: ({ workers }) => [
    ['Running', count(workers.items.filter((worker) => !worker.gone).length)],
    ['Behind', lagTime(workers.lag_s)],
    ['Waiting', count(workers.waiting)],
    ['Redelivered', count(sum(present(workers.items), (worker) => sum(Object.values(worker.channels), (work) => work.redelivered)))],
  ],
  database: ({ database }) => [
    ['Connections', database.connections_max > 0 ? `${count(database.connections)} of ${count(database.connections_max)}` : MISSING],
    ['Answers in', database.as_of === null ? MISSING : milliseconds(database.answer_ms)],
    ['Commit p99', database.commit_ms_p99 === null ? MISSING : milliseconds(database.commit_ms_p99)],
    ['Size', database.size_bytes === null ? MISSING : bytes(database.size_bytes)],
  ],
};

/** Figures from before a stage went away are no flow. */
function inflowOf(name: StageName, pipeline: Pipeline, isOld: boolean): StageView['inflow'] {
  if (name === 'agents') return null;
  const rate = INFLOWS[name](pipeline);
  if (pipeline[name].state === 'down' || isOld) return { words: 'stopped', moves: false };
  return rate ?? { words: pipeline[name].state === 'held' ? 'held' : 'nothing comes', moves: false };
}

const INFLOWS: Record<Exclude<StageName, 'agents'>, (pipeline: Pipeline) => StageView['inflow']> = {
  broker: ({ broker }) => moving(sum(broker.streams, (stream) => stream.inflow_bytes_per_s ?? 0), bytesPerSecond),
  workers: ({ workers }) => moving(sum(stored(workers.items), (work) => work.messages_per_s), (rate) => `${plain(rate)} messages/s`),
  database: ({ workers }) => moving(sum(stored(workers.items), (work) => work.rows_per_s), (rate) => `${plain(rate)} rows/s`),
};

function moving(rate: number, print: (rate: number) => string): StageView['inflow'] {
  return rate > 0 ? { words: print(rate), moves: true } : null;
}

function present(workers: readonly Worker[]): Worker[] {
  return workers.filter((worker) => !worker.gone);
}

/**
 * Alert workers read the same messages again: they are not counted twice. Rates are of a whole
 * minute, so one that is held still has one.
 */
function stored(workers: readonly Worker[]) {
  const ingest = present(workers).filter((worker) => worker.kind === 'ingest-worker');
  return ingest.flatMap((worker) => Object.values(worker.channels)).filter((work) => work.held === null);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

export function fillOf({ bytes: held, bytes_max: room }: { bytes: number; bytes_max: number }): number {
  return room > 0 ? (held / room) * 100 : 0;
}

/** Those that work first; the gone ones, newest first, after them. */
export function workersInOrder(workers: readonly Worker[]): Worker[] {
  return [...present(workers), ...workers.filter((worker) => worker.gone).toSorted((a, b) => b.seen_at - a.seen_at)];
}

/** What the link to the page warns of; null where all is well. */
export interface Mark {
  tone: 'warm' | 'bad';
  words: string;
}

export function markOf(pipeline: Pipeline | null): Mark | null {
  if (pipeline === null) return null;
  if (pipeline.state !== 'ok') return { tone: pipeline.state === 'down' ? 'bad' : 'warm', words: asSentence(pipeline.sentence) };
  const { count: letters } = pipeline.dead_letters;
  return letters === 0 ? null : { tone: 'warm', words: letters === 1 ? '1 dead letter waits.' : `${count(letters)} dead letters wait.` };
}
