// The live view of one host: subscribes while it is switched on, and carries samples and complaints
// to logic/live.ts. Leaving the page or the mode unsubscribes, which lets the agent rest.
import { useEffect, useState } from 'react';
import { parseSample } from '../io/contract';
import { LIVE_START, ticked, withComplaint, withSample, type Live } from '../logic/live';
import { useServices } from './services';

/** After a refusal the agent is asked again, because it may just be starting. */
const ASK_AGAIN_MS = 5_000;

export function useLive(hostId: string, on: boolean): Live {
  const { feed, clock } = useServices();
  const [live, setLive] = useState<Live>(LIVE_START);

  useEffect(() => {
    if (!on) return;
    const topic = `host/${hostId}/telemetry`;
    let askAgain: ReturnType<typeof setTimeout> | undefined;
    const leave = feed.subscribe(topic, {
      onData: (data, at) => {
        clock.heard(at);
        const sample = parseSample(data);
        setLive((before) => withSample(before, sample, Date.now()));
      },
      onError: (reason) => {
        setLive((before) => withComplaint(before, reason));
        clearTimeout(askAgain);
        askAgain = setTimeout(() => feed.resubscribe(topic), ASK_AGAIN_MS);
      },
    });
    const ticker = setInterval(() => setLive((before) => ticked(before, Date.now())), 1000);
    return () => {
      leave();
      setLive(LIVE_START);
      clearInterval(ticker);
      clearTimeout(askAgain);
    };
  }, [feed, clock, hostId, on]);

  return live;
}
