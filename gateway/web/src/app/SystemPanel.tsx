// What a host is, and how its agent fares and is configured.
import { InlineFailure, LoadingWords, Skeleton } from '../views/parts';
import { AgentView } from '../views/AgentView';
import { ConfigurationView } from '../views/ConfigurationView';
import { SystemView } from '../views/SystemView';
import { usePolled } from './hooks';
import { useServices } from './services';

/** An inventory comes at the start of an agent and on a change. */
const INVENTORY_MS = 30_000;
/** The agent is asked each time. */
const AGENT_MS = 10_000;

export function SystemPanel({ id, now }: { id: string; now: number }) {
  const { api } = useServices();
  const inventory = usePolled({ key: id, fetch: (signal) => api.inventory(id, signal), nextMs: () => INVENTORY_MS });
  const agent = usePolled({ key: id, fetch: (signal) => api.agent(id, signal), nextMs: () => AGENT_MS });
  if (inventory.loading && agent.loading) {
    return (
      <>
        <LoadingWords>Loading the system</LoadingWords>
        <Skeleton className="card skeleton-chart" />
      </>
    );
  }
  const { system, configuration } = inventory.value ?? { system: null, configuration: null };
  return (
    <>
      {inventory.failure !== null && <InlineFailure what="The system could not be loaded" failure={inventory.failure} onRetry={inventory.retry} />}
      {agent.failure !== null && <InlineFailure what="The agent's health could not be loaded" failure={agent.failure} onRetry={agent.retry} />}
      <div className="tables">
        {system && <SystemView system={system.detail} at={system.at} now={now} />}
        {agent.value && <AgentView agent={agent.value} now={now} />}
        {configuration && <ConfigurationView applied={configuration.detail} at={configuration.at} now={now} />}
      </div>
      {inventory.value && !system && <p className="card panel-empty">This host has not said yet what it is. Agents do at their start.</p>}
    </>
  );
}
