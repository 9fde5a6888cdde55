// Tickets page by page, read again when something happened to any; and the rules' names beside them.
// Leaves out what is done to them and how they look.
import type { AlertCounts, Alert, AlertPage } from '../io/contract-alerts';
import type { AlertRule } from '../io/contract-rules';
import { alertQueryOf, type AlertFilter } from '../logic/alerts';
import { whenSpan } from '../logic/log-time';
import { usePolled, useStore, type Polled } from './hooks';
import { useServices } from './services';
import { usePages, type Pages } from './use-pages';

/** Events tell of changes at once; this is for what they do not tell. */
const LIST_MS = 30_000;
/** Rules change seldom. */
const RULES_MS = 60_000;

export function useAlerts(filter: AlertFilter): Pages<AlertPage, Alert> {
  const { alertApi, alerts, clock } = useServices();
  const { revision } = useStore(alerts.state);
  const { status, text, when, ...rest } = filter;
  return usePages({
    key: `?${alertQueryOf(filter)}`,
    fetch: (cursor, signal) => alertApi.alerts({ ...rest, status: status === 'all' ? '' : status, q: text, span: whenSpan(when, clock.now()) }, cursor, signal),
    page: (page) => page,
    everyMs: LIST_MS,
    again: revision,
  });
}

/** How many there are: of the whole fleet, as the header has it. */
export function useAlertCounts(): AlertCounts | null {
  const { alerts } = useServices();
  return useStore(alerts.state).counts;
}

export function useRules(): Polled<readonly AlertRule[]> {
  const { alertApi, alerts } = useServices();
  const { revision } = useStore(alerts.state);
  return usePolled({ key: 'rules', fetch: async (signal) => (await alertApi.rules(signal)).items, nextMs: () => RULES_MS, again: revision });
}
