// What is not resolved of a host, above its tabs: asked for by its name, so that it is there however
// much else goes on in the fleet.
import { HostAlertsBanner } from '../views/HostAlertsBanner';
import { usePolled, useStore } from './hooks';
import { useServices } from './services';

const ALERTS_MS = 30_000;

export function HostAlertsPanel({ id, now }: { id: string; now: number }) {
  const { alertApi, alerts } = useServices();
  const { revision } = useStore(alerts.state);
  const page = usePolled({ key: id, fetch: (signal) => alertApi.activeAlerts({ host: id }, signal), nextMs: () => ALERTS_MS, again: revision });
  if (!page.value || page.value.items.length === 0) return null;
  return <HostAlertsBanner host={id} alerts={page.value.items} now={now} />;
}
