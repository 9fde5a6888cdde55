// What the fleet page shows instead of a table: nothing yet, nothing found, or nothing to be had.
import { asSentence } from '../logic/format';
import { ServerIcon, SearchIcon, WarningIcon } from './icons';
import { LoadingWords, Notice, Skeleton } from './parts';

const START_AGENT = `MUSTER_AGENT_NATS_URL=nats://${location.hostname}:4222 \\
MUSTER_AGENT_STATE_DIR=/var/lib/muster-agent \\
muster-agent`;

export function EmptyFleet() {
  return (
    <Notice icon={<ServerIcon />} title="No hosts yet">
      <p>
        A host joins by itself: start the agent on it and point the agent at the bus. It opens no
        port, and it shows up here with its first heartbeat.
      </p>
      <pre className="command">
        <code>{START_AGENT}</code>
      </pre>
      <p className="notice-small">
        Adjust the bus address to your installation. The host is named after its machine name;{' '}
        <code>MUSTER_AGENT_HOST_ID</code> gives it another name.
      </p>
    </Notice>
  );
}

export function NothingFound({ onClear }: { onClear(): void }) {
  return (
    <Notice icon={<SearchIcon />} title="No host matches">
      <p>No host of the fleet has this name, label and status.</p>
      <button className="button" type="button" onClick={onClear}>
        Show all hosts
      </button>
    </Notice>
  );
}

export function FleetFailure({ reason, onRetry }: { reason: string; onRetry(): void }) {
  return (
    <Notice icon={<WarningIcon />} title="The fleet could not be loaded" tone="bad">
      <p>{asSentence(reason)} Trying again every few seconds.</p>
      <button className="button" type="button" onClick={onRetry}>
        Try now
      </button>
    </Notice>
  );
}

export function FleetLoading() {
  return (
    <div className="fleet fleet-loading">
      <LoadingWords>Loading the fleet</LoadingWords>
      {Array.from({ length: 12 }, (_, row) => (
        <Skeleton key={row} className="skeleton-row" />
      ))}
    </div>
  );
}
