// Builds what lives as long as the page: the session, the REST calls, the feed, the fleet and its alerts, each
// handed what it needs. Leaves out React but for the context through which the hooks find them.
import { createContext, useContext } from 'react';
import { Api } from '../io/api';
import { AlertApi } from '../io/api-alerts';
import { Feed } from '../io/feed';
import { Session } from '../io/session';
import { retryDelayMs } from '../logic/backoff';
import { AlertService } from './alert-service';
import { FleetService } from './fleet-service';
import { GatewayClock } from './gateway-clock';

export interface Services {
  session: Session;
  api: Api;
  feed: Feed;
  clock: GatewayClock;
  fleet: FleetService;
  alertApi: AlertApi;
  alerts: AlertService;
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
  const alertApi = new AlertApi(session);
  const alerts = new AlertService(alertApi, feed);
  followSession(session, feed, [fleet, alerts]);
  return { session, api, feed, clock, fleet, alertApi, alerts };
}

/** What runs exactly while somebody is signed in. */
interface Running {
  start(): void;
  stop(): void;
}

function followSession(session: Session, feed: Feed, watchers: readonly Running[]): void {
  session.state.subscribe(() => {
    const { phase } = session.state.get();
    if (phase === 'signed_in') {
      feed.start();
      for (const watcher of watchers) watcher.start();
    } else if (phase === 'signed_out') {
      for (const watcher of watchers) watcher.stop();
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
