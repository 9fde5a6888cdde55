// Who is signed in: keeps the access token in memory only, and trades the HttpOnly refresh cookie
// for a new one at load, before expiry and after a refusal. Leaves out drawing and every other
// request; api.ts and feed.ts ask it for a token.
import { parseAccount, parseToken, type Account, type Token } from './contract';
import { ApiError, call } from './http';
import { Store, type Readable } from './store';

export type SessionState =
  | { phase: 'starting' }
  | { phase: 'unreachable'; reason: string }
  | { phase: 'signed_out' }
  | { phase: 'signed_in'; account: Account };

/** Renew this long before expiry, so that a request never leaves with a token about to die. */
const RENEW_AHEAD_MS = 60_000;
/** How soon to try again when the gateway was away while we wanted to renew. */
const RENEW_RETRY_MS = 5_000;
/** Another tab may have rotated the cookie while our request was under way; its new one is then ours. */
const ROTATION_RACE_MS = 300;

const nothing = (): null => null;

export class Session {
  private readonly store = new Store<SessionState>({ phase: 'starting' });
  private token: Token | null = null;
  private expiresAt = 0;
  private renewing: Promise<void> | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  get state(): Readable<SessionState> {
    return this.store;
  }

  /** At load: signed in again if the cookie still says so. */
  async start(): Promise<void> {
    try {
      await this.renew();
    } catch (error) {
      this.couldNotStart(error);
      return;
    }
    await this.welcome();
  }

  async signIn(username: string, password: string): Promise<void> {
    const request = { method: 'POST', path: '/auth/login', body: { username, password } } as const;
    this.keep(await call(request, parseToken));
    await this.welcome();
  }

  async signOut(): Promise<void> {
    const token = this.token?.access_token;
    this.forget();
    await call({ method: 'POST', path: '/auth/logout', ...(token && { token }) }, nothing).catch(() => {
      // The browser has forgotten the token either way; the cookie expires by itself.
    });
  }

  /** A token with some life left; signs out and throws if there is none to be had. */
  async freshToken(): Promise<string> {
    if (this.token === null || Date.now() > this.expiresAt - RENEW_AHEAD_MS / 2) await this.renew();
    if (this.token === null) throw new ApiError(401, 'You are signed out.');
    return this.token.access_token;
  }

  /** One renewal at a time: the cookie rotates, and two at once would invalidate each other. */
  renew(): Promise<void> {
    this.renewing ??= this.tradeCookie().finally(() => {
      this.renewing = null;
    });
    return this.renewing;
  }

  private async tradeCookie(): Promise<void> {
    try {
      this.keep(await exclusively(requestRenewal, this.token !== null));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.forget();
      throw error;
    }
  }

  private async welcome(): Promise<void> {
    try {
      const token = await this.freshToken();
      const account = await call({ method: 'GET', path: '/auth/me', token }, parseAccount);
      this.store.set({ phase: 'signed_in', account });
    } catch (error) {
      this.couldNotStart(error);
    }
  }

  private couldNotStart(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) return this.forget();
    const reason = error instanceof Error ? error.message : String(error);
    this.store.set({ phase: 'unreachable', reason });
    this.later(RENEW_RETRY_MS, () => void this.start());
  }

  private keep(token: Token): void {
    this.token = token;
    const lifeMs = token.expires_in * 1000;
    this.expiresAt = Date.now() + lifeMs;
    this.renewIn(Math.max(lifeMs - RENEW_AHEAD_MS, lifeMs / 2));
  }

  private renewIn(delayMs: number): void {
    this.later(delayMs, () => {
      this.renew().catch((error: unknown) => {
        const signedOut = error instanceof ApiError && error.status === 401;
        if (!signedOut) this.renewIn(RENEW_RETRY_MS);
      });
    });
  }

  private later(delayMs: number, act: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, delayMs);
  }

  private forget(): void {
    clearTimeout(this.timer);
    this.token = null;
    this.store.set({ phase: 'signed_out' });
  }
}

async function requestRenewal(): Promise<Token> {
  const request = { method: 'POST', path: '/auth/refresh' } as const;
  return call(request, parseToken);
}

/** Tabs share one cookie, so they take turns where the browser offers locks (https and localhost). */
async function exclusively(trade: () => Promise<Token>, wasSignedIn: boolean): Promise<Token> {
  if (navigator.locks) return navigator.locks.request('muster.refresh', trade);
  try {
    return await trade();
  } catch (error) {
    const raced = wasSignedIn && error instanceof ApiError && error.status === 401;
    if (!raced) throw error;
    await new Promise((resolve) => setTimeout(resolve, ROTATION_RACE_MS));
    return trade();
  }
}
