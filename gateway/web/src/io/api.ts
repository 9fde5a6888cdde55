// The gateway's REST calls that the dashboard makes, each named after what it fetches.
// Leaves out when to call them; the hooks in `app/` decide that.
import { Caller } from './caller';
import {
  parseAgent,
  parseInventory,
  parseLineCounts,
  parseLinePage,
  parseProcessList,
  parseStoredSettings,
  parseTakenSettings,
  type Agent,
  type Inventory,
  type LineCounts,
  type LinePage,
  type ProcessList,
  type Settings,
  type StoredSettings,
  type TakenSettings,
} from './contract-agent';
import {
  parseAvailability,
  parseCatalogue,
  parseCompleteness,
  parseEventPage,
  parseFleetCompleteness,
  parseHost,
  parseHostDetail,
  parseHostPage,
  parseMetrics,
  type Availability,
  type CatalogueItem,
  type Completeness,
  type EventPage,
  type FleetCompleteness,
  type Host,
  type HostDetail,
  type HostPage,
  type Metrics,
} from './contract';
import {
  parseBulkAnswer,
  parseLetterDetail,
  parseLetterPage,
  parseRetried,
  type BulkAnswer,
  type LetterDetail,
  type LetterPage,
  type Retried,
} from './contract-letters';
import { parsePipeline, type Pipeline } from './contract-pipeline';
import {
  parseHostSizePage,
  parsePlan,
  parseRetention,
  parseStorage,
  type HostSizePage,
  type Plan,
  type Retention,
  type Rule,
  type Storage,
} from './contract-storage';

/** The most the gateway gives at once: the fewest round trips for a large fleet. */
const HOSTS_PER_PAGE = 1000;

const PIPELINE_TIMEOUT_MS = 8_000;

/** A look through what could not be stored; counting them asks for more at a time. */
export const LETTERS_PER_PAGE = 50;

/** Some screens of lines. */
const LINES_PER_PAGE = 100;

interface Span {
  from: number;
  to: number;
}

export interface MetricsQuery extends Span {
  names: readonly string[];
}

export interface LinesQuery {
  /** Null asks for the lines of all hosts. */
  host: string | null;
  severity: string;
  application: string;
  text: string;
  /** Each `name:value`; all of them. */
  fields: readonly string[];
  /** Null for any time; an end that is null is now. */
  span: { from: number; to: number | null } | null;
  cursor: string | null;
}

/** Empty texts ask for nothing. */
export interface LettersQuery {
  stream: string;
  reason: string;
  host: string;
}

export type LetterDeed = 'retry' | 'discard';

function filled(texts: object): [string, string][] {
  return Object.entries(texts).filter(([, text]) => text !== '');
}

function logsPath(host: string | null): string {
  return `${host === null ? '' : hostPath(host)}/logs`;
}

function lineQuery({ severity, application, text, fields, span }: LinesQuery): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ severity, application, text })) if (value !== '') query.set(name, value);
  for (const field of fields) query.append('field', field);
  if (span) query.set('from', String(span.from));
  if (span && span.to !== null) query.set('to', String(span.to));
  return query;
}

function spanQuery({ from, to }: Span): URLSearchParams {
  return new URLSearchParams({ from: String(Math.round(from)), to: String(Math.round(to)) });
}

function metricsQuery(wanted: MetricsQuery): URLSearchParams {
  const query = spanQuery(wanted);
  query.set('names', wanted.names.join(','));
  return query;
}

function pageQuery(cursor: string | null, also: Record<string, string> = {}): string {
  const query = new URLSearchParams({ ...also, ...(cursor !== null && { cursor }) });
  return query.size === 0 ? '' : `?${query}`;
}

function hostPath(id: string): string {
  return `/hosts/${encodeURIComponent(id)}`;
}

/** Of one host, or of the fleet. */
function settingsPath(id: string | null): string {
  return id === null ? '/agent-settings' : `${hostPath(id)}/settings`;
}

export class Api extends Caller {
  hosts(cursor: string | null, signal?: AbortSignal): Promise<HostPage> {
    const query = new URLSearchParams({ limit: String(HOSTS_PER_PAGE) });
    if (cursor !== null) query.set('cursor', cursor);
    return this.get(`/hosts?${query}`, parseHostPage, signal);
  }

  host(id: string, signal?: AbortSignal): Promise<HostDetail> {
    return this.get(`${hostPath(id)}`, parseHostDetail, signal);
  }

  /** The same answer without the sample, for a host that the list did not have yet. */
  listedHost(id: string): Promise<Host> {
    return this.get(`${hostPath(id)}`, parseHost);
  }

  metrics(id: string, wanted: MetricsQuery, signal?: AbortSignal): Promise<Metrics> {
    return this.get(`${hostPath(id)}/metrics?${metricsQuery(wanted)}`, parseMetrics, signal);
  }

  /** The same as a table to keep. */
  metricsFile(id: string, wanted: MetricsQuery): Promise<Blob> {
    const path = `${hostPath(id)}/metrics?${metricsQuery(wanted)}&format=csv`;
    return this.file(path);
  }

  /** Of all time, or of what was written within a span. */
  completeness(id: string, span: Span | null, signal?: AbortSignal): Promise<Completeness> {
    return this.get(`${hostPath(id)}/completeness${span === null ? '' : `?${spanQuery(span)}`}`, parseCompleteness, signal);
  }

  fleetCompleteness(cursor: string | null, signal?: AbortSignal): Promise<FleetCompleteness> {
    return this.get(`/completeness${pageQuery(cursor)}`, parseFleetCompleteness, signal);
  }

  availability(id: string, span: Span, signal?: AbortSignal): Promise<Availability> {
    return this.get(`${hostPath(id)}/availability?${spanQuery(span)}`, parseAvailability, signal);
  }

  /** All kinds where none is named. */
  events(id: string, kind: string, cursor: string | null, signal?: AbortSignal): Promise<EventPage> {
    return this.get(`${hostPath(id)}/events${pageQuery(cursor, kind === '' ? {} : { kind })}`, parseEventPage, signal);
  }

  storage(signal?: AbortSignal): Promise<Storage> {
    return this.get('/storage', parseStorage, signal);
  }

  storageOfHosts(cursor: string | null, signal?: AbortSignal): Promise<HostSizePage> {
    return this.get(`/storage/hosts${pageQuery(cursor, { limit: '25' })}`, parseHostSizePage, signal);
  }

  retention(signal?: AbortSignal): Promise<Retention> {
    return this.get('/retention', parseRetention, signal);
  }

  /** Instead of the rules of that version; refused with 409 where others hold by now. */
  setRetention(rules: readonly Rule[], version: number): Promise<Retention> {
    return this.ask({ method: 'PUT', path: '/retention', body: { rules, version } }, parseRetention);
  }

  /** What the rules in force would remove now. */
  retentionPlan(signal?: AbortSignal): Promise<Plan> {
    return this.get('/retention/plan', parsePlan, signal);
  }

  /** What these rules would remove, were they set; nothing is removed by asking. */
  planRetention(rules: readonly Rule[]): Promise<Plan> {
    return this.ask({ method: 'POST', path: '/retention/plan', body: { rules } }, parsePlan);
  }

  /** What there is besides the metrics every host has. */
  async customMetrics(id: string, signal?: AbortSignal): Promise<CatalogueItem[]> {
    const { items } = await this.get(`/metrics?host=${encodeURIComponent(id)}`, parseCatalogue, signal);
    return items.filter((item) => item.name.startsWith('custom.'));
  }

  lines(wanted: LinesQuery, signal?: AbortSignal): Promise<LinePage> {
    const query = lineQuery(wanted);
    query.set('limit', String(LINES_PER_PAGE));
    if (wanted.cursor !== null) query.set('cursor', wanted.cursor);
    return this.get(`${logsPath(wanted.host)}?${query}`, parseLinePage, signal);
  }

  /** How many there are of these lines, over the last 24 hours where no time is named. */
  lineCounts(wanted: LinesQuery, signal?: AbortSignal): Promise<LineCounts> {
    return this.get(`${logsPath(wanted.host)}/counts?${lineQuery(wanted)}`, parseLineCounts, signal);
  }

  inventory(id: string, signal?: AbortSignal): Promise<Inventory> {
    return this.get(`${hostPath(id)}/inventory`, parseInventory, signal);
  }

  processes(id: string, live: boolean, signal?: AbortSignal): Promise<ProcessList> {
    return this.get(`${hostPath(id)}/processes${live ? '?live=true' : ''}`, parseProcessList, signal);
  }

  agent(id: string, signal?: AbortSignal): Promise<Agent> {
    return this.get(`${hostPath(id)}/agent`, parseAgent, signal);
  }

  settings(id: string | null, signal?: AbortSignal): Promise<StoredSettings> {
    return this.get(settingsPath(id), parseStoredSettings, signal);
  }

  setSettings(id: string | null, settings: Partial<Settings>): Promise<TakenSettings> {
    return this.ask({ method: 'PUT', path: settingsPath(id), body: settings }, parseTakenSettings);
  }

  /** The gateway knows it by heart: one that is silent about it is not well itself. */
  pipeline(signal?: AbortSignal): Promise<Pipeline> {
    return this.ask({ method: 'GET', path: '/pipeline', timeoutMs: PIPELINE_TIMEOUT_MS, ...(signal && { signal }) }, parsePipeline);
  }

  letters({ stream, reason, host }: LettersQuery, limit: number, cursor: string | null, signal?: AbortSignal): Promise<LetterPage> {
    const query = new URLSearchParams([...filled({ stream, reason, host }), ['limit', String(limit)]]);
    if (cursor !== null) query.set('cursor', cursor);
    return this.get(`/dead-letters?${query}`, parseLetterPage, signal);
  }

  letter(id: number, signal?: AbortSignal): Promise<LetterDetail> {
    return this.get(`/dead-letters/${id}`, parseLetterDetail, signal);
  }

  retryLetter(id: number): Promise<Retried> {
    return this.ask({ method: 'POST', path: `/dead-letters/${id}/retry` }, parseRetried);
  }

  discardLetter(id: number): Promise<null> {
    return this.ask({ method: 'DELETE', path: `/dead-letters/${id}` }, () => null);
  }

  /** Deals with some hundred of those that match; `next` of the answer goes on with the others. */
  handleLetters(deed: LetterDeed, { stream, reason, host }: LettersQuery, cursor: string | null): Promise<BulkAnswer> {
    const body = Object.fromEntries(filled({ stream, reason, host, cursor: cursor ?? '' }));
    return this.ask({ method: 'POST', path: `/dead-letters/${deed}`, body }, parseBulkAnswer);
  }
}
