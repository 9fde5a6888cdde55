// Tests of channels: sends one, and asks what became of it until that is known or it takes too long.
import { useEffect, useRef, useState } from 'react';
import type { Channel } from '../io/contract-channels';
import { testWords } from '../logic/channels';
import { failureSentence } from '../logic/format';
import { useServices } from './services';

export interface TestOutcome {
  tone: 'good' | 'bad' | 'plain';
  words: string;
  running: boolean;
}

const ASK_MS = 1_000;
/** A server that hangs is given ten seconds, and a worker claims what it sends within one. */
const ASKS_MAX = 25;

export interface Tests {
  /** By the number of the channel. */
  outcomes: ReadonlyMap<number, TestOutcome>;
  run(channel: Channel): void;
}

export function useTests(): Tests {
  const { alertApi } = useServices();
  const [outcomes, setOutcomes] = useState<ReadonlyMap<number, TestOutcome>>(new Map());
  const stopped = useRef<AbortController | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    stopped.current = stop;
    return () => stop.abort();
  }, []);

  const say = (id: number, outcome: TestOutcome) => setOutcomes((before) => new Map(before).set(id, outcome));
  const run = async ({ id }: Channel) => {
    const signal = stopped.current?.signal;
    say(id, { ...testWords('pending', 0, null), running: true });
    try {
      const { notification_id } = await alertApi.testChannel(id);
      for (let asks = 0; asks < ASKS_MAX; asks += 1) {
        const { state, attempts, error } = await alertApi.notification(notification_id, signal);
        const known = state !== 'pending' || error !== null;
        say(id, { ...testWords(state, attempts, error), running: !known });
        if (known) return;
        await new Promise((resolve) => setTimeout(resolve, ASK_MS));
      }
      say(id, { tone: 'bad', words: 'No worker has sent it yet: see whether an alert worker runs.', running: false });
    } catch (error) {
      if (!signal?.aborted) say(id, { tone: 'bad', words: failureSentence(error), running: false });
    }
  };
  return { outcomes, run: (channel) => void run(channel) };
}
