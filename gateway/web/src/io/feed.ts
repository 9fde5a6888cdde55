// The WebSocket to the gateway: signs in, subscribes, hands out what arrives by topic, and comes
// back by itself after a loss, with every subscription restored. Leaves out what the data means.
// Whoever subscribes parses; one topic's bad frame must not silence the others.
import { parseServerFrame, type ServerFrame } from './contract';
import { API_BASE } from './http';
import { Store, type Readable } from './store';

export interface Listener {
  onData(data: unknown, at: number): void;
  onError?(reason: string): void;
  /** The server had to leave out frames of this topic. */
  onDropped?(count: number): void;
  /** Subscribed, at first or again after a loss: what came in between was missed. */
  onSubscribed?(): void;
}

export interface Link {
  status: 'connecting' | 'open' | 'away';
}

export interface FeedOptions {
  freshToken(): Promise<string>;
  renewToken(): Promise<void>;
  /** The pause before try n, counted from 0. */
  retryDelayMs(attempt: number): number;
}

/** No frame for this long on a link that should hear something: ask whether anybody is there. */
const SILENCE_MS = 30_000;
/** How long the answer to that question may take. */
const PROBE_ANSWER_MS = 10_000;
/** Subscribing twice is harmless, and this topic exists for everybody. */
const PROBE_TOPIC = 'events';

export class Feed {
  private readonly options: FeedOptions;
  private readonly store = new Store<Link>({ status: 'connecting' });
  private readonly topics = new Map<string, Set<Listener>>();
  private socket: WebSocket | null = null;
  private ready = false;
  private running = false;
  private attempt = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: FeedOptions) {
    this.options = options;
  }

  get link(): Readable<Link> {
    return this.store;
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.attempt = 0;
    window.addEventListener('online', this.hurry);
    document.addEventListener('visibilitychange', this.hurry);
    this.store.set({ status: 'connecting' });
    void this.connect();
  }

  stop(): void {
    this.running = false;
    window.removeEventListener('online', this.hurry);
    document.removeEventListener('visibilitychange', this.hurry);
    clearTimeout(this.retryTimer);
    this.abandonSocket();
  }

  subscribe(topic: string, listener: Listener): () => void {
    const listeners = this.topics.get(topic) ?? new Set<Listener>();
    this.topics.set(topic, listeners.add(listener));
    if (listeners.size === 1) this.say('subscribe', topic);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      this.topics.delete(topic);
      this.say('unsubscribe', topic);
    };
  }

  /** Asks again for a topic that the server answered with an error. */
  resubscribe(topic: string): void {
    if (!this.topics.has(topic)) return;
    this.say('unsubscribe', topic);
    this.say('subscribe', topic);
  }

  private say(type: 'subscribe' | 'unsubscribe', topic: string): void {
    if (this.ready) this.socket?.send(JSON.stringify({ type, topic }));
  }

  private async connect(): Promise<void> {
    let token: string;
    try {
      token = await this.options.freshToken();
    } catch {
      return this.retryLater();
    }
    if (!this.running) return;
    this.abandonSocket();
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}${API_BASE}/ws`);
    this.socket = socket;
    socket.addEventListener('open', () => socket.send(JSON.stringify({ type: 'auth', token })));
    socket.addEventListener('message', (message: MessageEvent<string>) => this.onMessage(message.data));
    socket.addEventListener('close', () => {
      if (this.socket === socket) this.lost();
    });
    this.watchForSilence();
  }

  private onMessage(text: string): void {
    this.watchForSilence();
    let frame: ServerFrame;
    try {
      frame = parseServerFrame(JSON.parse(text));
    } catch {
      // A kind of frame that a newer gateway knows and we do not.
      return;
    }
    this.dispatch(frame);
  }

  private dispatch(frame: ServerFrame): void {
    if (frame.type === 'ready') return this.becomeReady();
    if (frame.topic === null) return void (this.ready || this.refused());
    for (const listener of this.topics.get(frame.topic) ?? []) {
      if (frame.type === 'data') deliver(listener, frame.data, frame.at);
      else if (frame.type === 'subscribed') listener.onSubscribed?.();
      else if (frame.type === 'dropped') listener.onDropped?.(frame.count);
      else listener.onError?.(frame.reason);
    }
  }

  private becomeReady(): void {
    this.ready = true;
    this.attempt = 0;
    this.store.set({ status: 'open' });
    for (const topic of this.topics.keys()) this.say('subscribe', topic);
  }

  /** The token was not good enough; a failure to renew it ends the session and with it this feed. */
  private refused(): void {
    this.options.renewToken().catch(() => undefined);
  }

  private lost(): void {
    this.abandonSocket();
    if (this.running) this.retryLater();
  }

  private retryLater(): void {
    if (!this.running) return;
    if (this.store.get().status !== 'away') this.store.set({ status: 'away' });
    clearTimeout(this.retryTimer);
    const delay = this.options.retryDelayMs(this.attempt);
    this.attempt += 1;
    this.retryTimer = setTimeout(() => void this.connect(), delay);
  }

  /** The network or the person came back: no reason to sit out the rest of the pause. */
  private readonly hurry = (): void => {
    if (document.visibilityState === 'hidden') return;
    if (this.store.get().status === 'away' && this.socket === null) {
      clearTimeout(this.retryTimer);
      void this.connect();
    } else if (this.ready) {
      this.probe();
    }
  };

  private watchForSilence(): void {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.probe(), SILENCE_MS);
  }

  // A browser cannot send a WebSocket ping, and a suspended laptop's connection looks open for ever.
  private probe(): void {
    this.say('subscribe', PROBE_TOPIC);
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.lost(), PROBE_ANSWER_MS);
  }

  private abandonSocket(): void {
    clearTimeout(this.silenceTimer);
    this.ready = false;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }
}

/** Data that breaks the contract is a complaint about the topic, not a crash of the feed. */
function deliver(listener: Listener, data: unknown, at: number): void {
  try {
    listener.onData(data, at);
  } catch (error) {
    listener.onError?.(error instanceof Error ? error.message : String(error));
  }
}
