// Builds what lives as long as the page: the session, the REST calls, the feed and the fleet, each
// handed what it needs. Leaves out React but for the context through which the hooks find them.
import { createContext, useContext } from 'react';
import { Api } from '../io/api';
import { Feed } from '../io/feed';
import { Session } from '../io/session';
import { retryDelayMs } from '../logic/backoff';
import { FleetService } from './fleet-service';
import { GatewayClock } from './gateway-clock';

export interface Services {
  session: Session;
  api: Api;
  feed: Feed;
  clock: GatewayClock;
  fleet: FleetService;
}

export function buildServices(): Services {
  const session = new Session();
  const api = new Api(session);
  const feed = new Feed({
    freshToken: () => session.freshToken(),
    renewToken: () => session.renew(),
    retryDelayMs: (attempt) => retryDelayMs(attempt, Math.random()),
  });
  const clock = new GatewayClock();
  const fleet = new FleetService(api, feed, clock);
  followSession(session, feed, fleet);
  return { session, api, feed, clock, fleet };
}

/** The feed and the fleet run exactly while somebody is signed in. */
function followSession(session: Session, feed: Feed, fleet: FleetService): void {
  session.state.subscribe(() => {
    const { phase } = session.state.get();
    if (phase === 'signed_in') {
      feed.start();
      fleet.start();
    } else if (phase === 'signed_out') {
      fleet.stop();
      feed.stop();
    }
  });
}

export const ServicesContext = createContext<Services | null>(null);

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (!services) throw new Error('a hook was used outside of the application');
  return services;
}
