// The REST calls of alerting, each named after what it fetches or does. Leaves out when to call them;
// the hooks in `app/` decide that.
import { Caller } from './caller';
import { parseAcknowledged, parseAlertPage, parseHostMarks, parseSummary, parseTicket, type Acknowledged, type AlertPage, type HostMark, type Priority, type Summary, type Ticket } from './contract-alerts';
import {
  parseChannel,
  parseChannels,
  parseDeadman,
  parseDeadPage,
  parseNotificationState,
  parseSilence,
  parseSilences,
  parseTested,
  type Channel,
  type ChannelDraft,
  type Deadman,
  type DeadPage,
  type NotificationState,
  type Silence,
  type SilenceDraft,
  type SilencePage,
} from './contract-channels';
import {
  parseBacktest,
  parseRule,
  parseRules,
  parseRuleVersions,
  parseVocabulary,
  type AlertRule,
  type Backtest,
  type RuleVersion,
  type Vocabulary,
} from './contract-rules';

/** Some screens of tickets. */
export const ALERTS_PER_PAGE = 50;

/** The most the gateway gives in one answer. */
const ACTIVE_MAX = 500;

/** As many as there can be that have not ended. */
const SILENCES_MAX = 1_000;

/** Some screens of those that have. */
const SILENCES_PER_PAGE = 50;

/** A month of samples of two hundred hosts is read for it. */
const BACKTEST_TIMEOUT_MS = 120_000;

/** Empty texts ask for nothing. */
export interface AlertsQuery {
  status: string;
  priority: string;
  host: string;
  label: string;
  rule: string;
  q: string;
  span: { from: number; to: number | null } | null;
}

export type TicketDeed = 'acknowledge' | 'unacknowledge' | 'resolve';

export interface BacktestQuery {
  definition: object;
  from: number;
  to: number;
}

const nothing = (): null => null;

function alertsQuery({ span, ...texts }: AlertsQuery, limit: number, cursor: string | null): URLSearchParams {
  const query = new URLSearchParams(Object.entries(texts).filter(([, text]) => text !== ''));
  if (span) query.set('from', String(Math.round(span.from)));
  if (span && span.to !== null) query.set('to', String(Math.round(span.to)));
  query.set('limit', String(limit));
  if (cursor !== null) query.set('cursor', cursor);
  return query;
}

export class AlertApi extends Caller {
  alerts(wanted: AlertsQuery, cursor: string | null, signal?: AbortSignal): Promise<AlertPage> {
    return this.get(`/alerts?${alertsQuery(wanted, ALERTS_PER_PAGE, cursor)}`, parseAlertPage, signal);
  }

  /** Those that are not resolved, newest first: of a host, or of a priority. */
  activeAlerts(of: { host: string } | { priority: Priority }, signal?: AbortSignal): Promise<AlertPage> {
    const query = new URLSearchParams({ status: 'active', limit: String(ACTIVE_MAX), ...of });
    return this.get(`/alerts?${query}`, parseAlertPage, signal);
  }

  /** Of every host that has any, however many tickets there are. */
  alertHosts(signal?: AbortSignal): Promise<{ items: HostMark[] }> {
    return this.get('/alerts/hosts', parseHostMarks, signal);
  }

  ticket(id: number, signal?: AbortSignal): Promise<Ticket> {
    return this.get(`/alerts/${id}`, parseTicket, signal);
  }

  handleTicket(id: number, deed: TicketDeed, comment: string): Promise<Ticket> {
    const body = deed === 'unacknowledge' || comment === '' ? {} : { comment };
    return this.ask({ method: 'POST', path: `/alerts/${id}/${deed}`, body }, parseTicket);
  }

  comment(id: number, text: string): Promise<Ticket> {
    return this.ask({ method: 'POST', path: `/alerts/${id}/comments`, body: { text } }, parseTicket);
  }

  acknowledgeAll(ids: readonly number[]): Promise<Acknowledged> {
    return this.ask({ method: 'POST', path: '/alerts/acknowledge', body: { ids } }, parseAcknowledged);
  }

  /** Of the week or the month that a moment is in. */
  alertSummary(period: string, by: string, at: number, signal?: AbortSignal): Promise<Summary> {
    return this.get(`/alerts/summary?${new URLSearchParams({ period, by, at: String(at) })}`, parseSummary, signal);
  }

  rules(signal?: AbortSignal): Promise<{ items: AlertRule[] }> {
    return this.get('/rules', parseRules, signal);
  }

  rule(id: number, signal?: AbortSignal): Promise<AlertRule> {
    return this.get(`/rules/${id}`, parseRule, signal);
  }

  ruleVersions(id: number, signal?: AbortSignal): Promise<{ items: RuleVersion[] }> {
    return this.get(`/rules/${id}/versions`, parseRuleVersions, signal);
  }

  vocabulary(signal?: AbortSignal): Promise<Vocabulary> {
    return this.get('/rules/vocabulary', parseVocabulary, signal);
  }

  addRule(definition: object): Promise<AlertRule> {
    return this.ask({ method: 'POST', path: '/rules', body: definition }, parseRule);
  }

  /** Instead of that version; refused with 409 where there is another by now. */
  setRule(id: number, version: number, definition: object): Promise<AlertRule> {
    return this.ask({ method: 'PUT', path: `/rules/${id}`, body: { version, definition } }, parseRule);
  }

  cloneRule(id: number): Promise<AlertRule> {
    return this.ask({ method: 'POST', path: `/rules/${id}/clone` }, parseRule);
  }

  removeRule(id: number, version: number): Promise<null> {
    return this.ask({ method: 'DELETE', path: `/rules/${id}?version=${version}` }, nothing);
  }

  backtest(body: BacktestQuery, signal: AbortSignal): Promise<Backtest> {
    return this.ask({ method: 'POST', path: '/rules/backtest', body, signal, timeoutMs: BACKTEST_TIMEOUT_MS }, parseBacktest);
  }

  /** Those in force and to come: all of them, the gateway takes no more than fit into an answer. */
  silences(signal?: AbortSignal): Promise<SilencePage> {
    return this.get(`/silences?state=active&limit=${SILENCES_MAX}`, parseSilences, signal);
  }

  /** Newest first; nothing removes them, so that they come page by page. */
  endedSilences(cursor: string | null, signal?: AbortSignal): Promise<SilencePage> {
    const query = new URLSearchParams({ state: 'ended', limit: String(SILENCES_PER_PAGE), ...(cursor !== null && { cursor }) });
    return this.get(`/silences?${query}`, parseSilences, signal);
  }

  addSilence(draft: SilenceDraft): Promise<Silence> {
    return this.ask({ method: 'POST', path: '/silences', body: draft }, parseSilence);
  }

  endSilence(id: number): Promise<null> {
    return this.ask({ method: 'POST', path: `/silences/${id}/end` }, nothing);
  }

  channels(signal?: AbortSignal): Promise<{ items: Channel[] }> {
    return this.get('/channels', parseChannels, signal);
  }

  addChannel(draft: ChannelDraft): Promise<Channel> {
    return this.ask({ method: 'POST', path: '/channels', body: draft }, parseChannel);
  }

  setChannel(id: number, version: number, draft: ChannelDraft): Promise<Channel> {
    return this.ask({ method: 'PUT', path: `/channels/${id}`, body: { version, ...draft } }, parseChannel);
  }

  removeChannel(id: number): Promise<null> {
    return this.ask({ method: 'DELETE', path: `/channels/${id}` }, nothing);
  }

  testChannel(id: number): Promise<{ notification_id: number }> {
    return this.ask({ method: 'POST', path: `/channels/${id}/test` }, parseTested);
  }

  notification(id: number, signal?: AbortSignal): Promise<NotificationState> {
    return this.get(`/notifications/${id}`, parseNotificationState, signal);
  }

  deadNotifications(cursor: string | null, signal?: AbortSignal): Promise<DeadPage> {
    const query = new URLSearchParams({ state: 'dead', ...(cursor !== null && { cursor }) });
    return this.get(`/notifications?${query}`, parseDeadPage, signal);
  }

  handleNotification(id: number, deed: 'retry' | 'discard'): Promise<null> {
    return this.ask({ method: 'POST', path: `/notifications/${id}/${deed}` }, nothing);
  }

  deadman(signal?: AbortSignal): Promise<Deadman> {
    return this.get('/deadman', parseDeadman, signal);
  }

  setDeadman(version: number, url: string | null, interval_s: number): Promise<Deadman> {
    return this.ask({ method: 'PUT', path: '/deadman', body: { version, url, interval_s } }, parseDeadman);
  }
}
