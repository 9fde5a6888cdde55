// What is not resolved of a host, above its tabs: asked for only where the fleet's marks say that there
// is something.
import { HostAlertsBanner } from '../views/HostAlertsBanner';
import { usePolled, useStore } from './hooks';
import { useServices } from './services';

const ALERTS_MS = 30_000;

export function HostAlertsPanel({ id, now }: { id: string; now: number }) {
  const { alertApi, alerts } = useServices();
  const { hosts, revision } = useStore(alerts.state);
  const marked = hosts.has(id);
  const page = usePolled({ key: marked ? id : null, fetch: (signal) => alertApi.activeAlerts(id, signal), nextMs: () => ALERTS_MS, again: revision });
  if (!marked || !page.value || page.value.items.length === 0) return null;
  return <HostAlertsBanner host={id} alerts={page.value.items} now={now} />;
}
