// REST calls of somebody who is signed in: each with a fresh token, once more with a new one where the
// gateway no longer takes it. Leaves out which calls there are: api.ts and api-alerts.ts name them.
import type { Parse } from './guards';
import { ApiError, call, callFile, type Call } from './http';
import type { Session } from './session';

export class Caller {
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  protected get<T>(path: string, parse: Parse<T>, signal?: AbortSignal): Promise<T> {
    return this.ask({ method: 'GET', path, ...(signal && { signal }) }, parse);
  }

  protected ask<T>(request: Call, parse: Parse<T>): Promise<T> {
    return this.signedIn((token) => call({ ...request, token }, parse));
  }

  protected file(path: string): Promise<Blob> {
    return this.signedIn((token) => callFile({ method: 'GET', path, token }));
  }

  private async signedIn<T>(request: (token: string) => Promise<T>): Promise<T> {
    const once = async () => request(await this.session.freshToken());
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
