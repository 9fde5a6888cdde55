// Keeps the counts of alerts and the marks of hosts current: fetches them at the start, after events
// that open, change or resolve tickets, and after the feed was away. A storm of events is one fetch.
// Tells the browser of critical ones that it has not heard of, where somebody asked for that.
import type { AlertApi } from '../io/api-alerts';
import { parseFleetEvent } from '../io/contract';
import type { AlertCounts, AlertPage } from '../io/contract-alerts';
import type { Feed } from '../io/feed';
import { showNotice } from '../io/notices';
import { Store, type Readable } from '../io/store';
import { newsOf, noticesOf, type Heard } from '../logic/alert-notices';
import { byHost, type HostAlerts } from '../logic/alerts';

export interface AlertsState {
  /** Null before they are known. */
  counts: AlertCounts | null;
  /** What is not resolved, by host. */
  hosts: ReadonlyMap<string, HostAlerts>;
  /** Grows when something has happened: lists are read again then. */
  revision: number;
}

/** Tickets of one cause are opened within this. */
const QUIET_MS = 300;
/** However much goes on, somebody who looks sees it move. */
const QUIET_MS_MAX = 1_500;
/** What no event told of, such as a ticket that was removed. */
const POLL_MS = 60_000;

const RETRY_MS = 5_000;

const START: AlertsState = { counts: null, hosts: new Map(), revision: 0 };

const KINDS = ['alert_opened', 'alert_changed', 'alert_resolved'];

export class AlertService {
  private readonly api: AlertApi;
  private readonly feed: Feed;
  private readonly store = new Store<AlertsState>(START);
  private leave: (() => void)[] = [];
  private fetching: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private firstNewsAt: number | null = null;
  /** Null before the first answer. */
  private heard: Heard | null = null;
  /** What the last answer was, to tell whether another says something else. */
  private last: string | null = null;
  private open: (path: string) => void = () => undefined;

  constructor(api: AlertApi, feed: Feed) {
    this.api = api;
    this.feed = feed;
  }

  get state(): Readable<AlertsState> {
    return this.store;
  }

  /** A click on a notification leads to its ticket; the application knows how to navigate. */
  opensWith(open: (path: string) => void): void {
    this.open = open;
  }

  start(): void {
    if (this.leave.length > 0) return;
    this.leave = [
      this.feed.subscribe('events', {
        onData: (data) => this.onEvent(data),
        onDropped: this.touch,
        // At first, and again after a loss: what came in between was missed.
        onSubscribed: () => this.fetchIn(QUIET_MS),
      }),
    ];
    void this.fetch();
  }

  stop(): void {
    for (const leave of this.leave) leave();
    this.leave = [];
    this.fetching?.abort();
    this.fetching = null;
    clearTimeout(this.timer);
    this.firstNewsAt = null;
    this.last = null;
    this.heard = null;
    this.store.set(START);
  }

  /** Something has changed, or was changed here: read again after a moment. */
  readonly touch = (): void => {
    const now = Date.now();
    this.firstNewsAt ??= now;
    const latest = this.firstNewsAt + QUIET_MS_MAX;
    this.fetchIn(Math.max(0, Math.min(QUIET_MS, latest - now)));
  };

  private onEvent(data: unknown): void {
    if (KINDS.includes(parseFleetEvent(data).kind)) this.touch();
  }

  /** Not by what events say, of which some are missed: by what is open now and was not before. */
  private tell({ items, next }: AlertPage): void {
    const { news, heard } = newsOf(this.heard, { items, isCut: next !== null });
    this.heard = heard;
    for (const { path, ...notice } of noticesOf(news)) showNotice({ ...notice, onClick: () => this.open(path) });
  }

  private fetchIn(delayMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.fetch(), delayMs);
  }

  /** One at a time, to its end: in a storm of events none would end otherwise. */
  private async fetch(): Promise<void> {
    if (this.fetching) return this.fetchIn(QUIET_MS);
    const fetching = new AbortController();
    this.fetching = fetching;
    const hasNews = this.firstNewsAt !== null;
    this.firstNewsAt = null;
    try {
      const [criticals, marks] = await Promise.all([this.api.activeAlerts({ priority: 'critical' }, fetching.signal), this.api.alertHosts(fetching.signal)]);
      if (fetching.signal.aborted) return;
      const { counts } = criticals;
      const text = JSON.stringify([criticals, marks]);
      const differs = this.last !== null && this.last !== text;
      this.last = text;
      this.store.set({ counts, hosts: byHost(marks.items), revision: this.store.get().revision + Number(hasNews || differs) });
      this.tell(criticals);
      this.fetching = null;
      this.fetchIn(this.firstNewsAt === null ? POLL_MS : QUIET_MS);
    } catch {
      if (fetching.signal.aborted) return;
      // The pages say what cannot be had; what was known of the counts stays.
      if (hasNews) this.firstNewsAt ??= Date.now();
      this.fetching = null;
      this.fetchIn(RETRY_MS);
    }
  }
}
