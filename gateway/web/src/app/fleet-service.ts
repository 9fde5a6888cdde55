// Keeps the fleet current: pages through the list, then applies live figures and events, at most
// once per animation frame however many frames arrive. What was missed while the feed was away is
// fetched again. The rules of merging are in logic/fleet.ts; this carries values there and back.
import type { Api } from '../io/api';
import { parseFleetEvent, parseHostsFrame, type FleetEvent, type HostPatch } from '../io/contract';
import type { Feed } from '../io/feed';
import { Store, type Readable } from '../io/store';
import { EMPTY_FLEET, keepOnly, withEvent, withPage, withPatches, type Fleet } from '../logic/fleet';
import type { GatewayClock } from './gateway-clock';

export interface FleetState {
  fleet: Fleet;
  /** The whole list was read at least once. */
  loaded: boolean;
  /** Why the list could not be read. */
  failure: string | null;
}

/** The list is the truth for what no event tells, such as a removed host. */
const RELIST_MS = 5 * 60_000;
const RETRY_MS = 5_000;
/** Many new hosts at once are cheaper to list than to fetch one by one. */
const SINGLE_FETCHES_MAX = 5;

/** Rows sorted by a live figure change places this often: more is unreadable. */
const SETTLE_MS = 3_000;

const START: FleetState = { fleet: EMPTY_FLEET, loaded: false, failure: null };

export class FleetService {
  private readonly api: Api;
  private readonly feed: Feed;
  private readonly clock: GatewayClock;
  private readonly store = new Store<FleetState>(START);
  private readonly settledStore = new Store<Fleet>(EMPTY_FLEET);
  private settledAt = 0;
  private patches = new Map<string, HostPatch>();
  private events: FleetEvent[] = [];
  private fetching = new Set<string>();
  private scheduled = false;
  private leave: (() => void)[] = [];
  private listing: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, feed: Feed, clock: GatewayClock) {
    this.api = api;
    this.feed = feed;
    this.clock = clock;
  }

  get state(): Readable<FleetState> {
    return this.store;
  }

  /** The fleet for counting and sorting: follows changes of status at once, figures at leisure. */
  get settled(): Readable<Fleet> {
    return this.settledStore;
  }

  start(): void {
    if (this.leave.length > 0) return;
    const relist = () => void this.list();
    this.leave = [
      this.feed.subscribe('hosts', {
        onData: (data, at) => this.onHosts(data, at),
        onError: (failure) => this.publish({ ...this.store.get(), failure }),
      }),
      this.feed.subscribe('events', {
        onData: (data, at) => this.onEvent(data, at),
        onDropped: relist,
      }),
      this.relistAfterLoss(),
    ];
    void this.list();
  }

  stop(): void {
    for (const leave of this.leave) leave();
    this.leave = [];
    this.listing?.abort();
    clearTimeout(this.timer);
    this.patches.clear();
    this.events = [];
    this.publish(START);
  }

  readonly retry = (): void => void this.list();

  private publish(state: FleetState): void {
    this.store.set(state);
    const due = Date.now() - this.settledAt >= SETTLE_MS;
    if (!due && state.fleet.revision === this.settledStore.get().revision) return;
    this.settledAt = Date.now();
    this.settledStore.set(state.fleet);
  }

  /** Events that came while the feed was away are gone; the list has their outcome. */
  private relistAfterLoss(): () => void {
    let wasAway = false;
    return this.feed.link.subscribe(() => {
      const { status } = this.feed.link.get();
      if (status === 'away') wasAway = true;
      if (status !== 'open' || !wasAway) return;
      wasAway = false;
      void this.list();
    });
  }

  private async list(): Promise<void> {
    this.listing?.abort();
    const listing = new AbortController();
    this.listing = listing;
    try {
      await this.readAllPages(listing.signal);
      this.listAgainIn(RELIST_MS);
    } catch (error) {
      if (listing.signal.aborted) return;
      const failure = error instanceof Error ? error.message : String(error);
      this.publish({ ...this.store.get(), failure });
      this.listAgainIn(RETRY_MS);
    }
  }

  private async readAllPages(signal: AbortSignal): Promise<void> {
    const ids = new Set<string>();
    let cursor: string | null = null;
    do {
      const page = await this.api.hosts(cursor, signal);
      for (const host of page.items) ids.add(host.id);
      const { fleet, loaded } = this.store.get();
      this.publish({ fleet: withPage(fleet, page.items), loaded, failure: null });
      cursor = page.next;
    } while (cursor !== null);
    this.publish({ fleet: keepOnly(this.store.get().fleet, ids), loaded: true, failure: null });
  }

  private listAgainIn(delayMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.list(), delayMs);
  }

  private onHosts(data: unknown, at: number): void {
    this.clock.heard(at);
    for (const patch of parseHostsFrame(data).hosts) this.patches.set(patch.id, patch);
    this.schedule();
  }

  private onEvent(data: unknown, at: number): void {
    this.clock.heard(at);
    this.events.push(parseFleetEvent(data));
    this.schedule();
  }

  // A hidden tab gets no animation frames: patches then replace each other by host, so the queue
  // stays as small as the fleet.
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.apply());
  }

  private apply(): void {
    this.scheduled = false;
    const before = this.store.get();
    const patched = withPatches(before.fleet, [...this.patches.values()]);
    const unknown = new Set(patched.unknown);
    let fleet = patched.fleet;
    for (const event of this.events) {
      const next = withEvent(fleet, event);
      fleet = next.fleet;
      for (const id of next.unknown) unknown.add(id);
    }
    this.patches = new Map();
    this.events = [];
    this.publish({ ...before, fleet });
    if (before.loaded) this.fetchUnknown([...unknown].filter((id) => !this.fetching.has(id)));
  }

  private fetchUnknown(ids: string[]): void {
    if (ids.length > SINGLE_FETCHES_MAX) return void this.list();
    for (const id of ids) void this.fetchOne(id);
  }

  private async fetchOne(id: string): Promise<void> {
    this.fetching.add(id);
    try {
      const host = await this.api.listedHost(id);
      const { fleet, ...rest } = this.store.get();
      this.publish({ ...rest, fleet: withPage(fleet, [host]) });
    } catch {
      // The next frame that names the host asks again.
    } finally {
      this.fetching.delete(id);
    }
  }
}
