// The gateway's REST calls that the dashboard makes, each named after what it fetches.
// Leaves out when to call them; the hooks in `app/` decide that.
import {
  parseCompleteness,
  parseHost,
  parseHostDetail,
  parseHostPage,
  parseMetrics,
  type Completeness,
  type Host,
  type HostDetail,
  type HostPage,
  type Metrics,
} from './contract';
import type { Parse } from './guards';
import { ApiError, call } from './http';
import type { Session } from './session';

/** The most the gateway gives at once: the fewest round trips for a large fleet. */
const HOSTS_PER_PAGE = 1000;

export interface MetricsQuery {
  from: number;
  to: number;
  names: readonly string[];
}

export class Api {
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  hosts(cursor: string | null, signal?: AbortSignal): Promise<HostPage> {
    const query = new URLSearchParams({ limit: String(HOSTS_PER_PAGE) });
    if (cursor !== null) query.set('cursor', cursor);
    return this.get(`/hosts?${query}`, parseHostPage, signal);
  }

  host(id: string, signal?: AbortSignal): Promise<HostDetail> {
    return this.get(`/hosts/${encodeURIComponent(id)}`, parseHostDetail, signal);
  }

  /** The same answer without the sample, for a host that the list did not have yet. */
  listedHost(id: string): Promise<Host> {
    return this.get(`/hosts/${encodeURIComponent(id)}`, parseHost);
  }

  metrics(id: string, wanted: MetricsQuery, signal?: AbortSignal): Promise<Metrics> {
    const query = new URLSearchParams({
      from: String(Math.round(wanted.from)),
      to: String(Math.round(wanted.to)),
      names: wanted.names.join(','),
    });
    return this.get(`/hosts/${encodeURIComponent(id)}/metrics?${query}`, parseMetrics, signal);
  }

  completeness(id: string, signal?: AbortSignal): Promise<Completeness> {
    return this.get(`/hosts/${encodeURIComponent(id)}/completeness`, parseCompleteness, signal);
  }

  private async get<T>(path: string, parse: Parse<T>, signal?: AbortSignal): Promise<T> {
    const once = async () => {
      const token = await this.session.freshToken();
      return call({ method: 'GET', path, token, ...(signal && { signal }) }, parse);
    };
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      // The gateway no longer takes this token, for instance after a change of its key.
      await this.session.renew();
      return once();
    }
  }
}
