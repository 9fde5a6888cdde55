// How the agent fares: what it says now, or else what its last heartbeat said.
import type { Agent } from '../io/contract-agent';
import { ago, asSentence, bytes, count, duration } from '../logic/format';
import { FactRows, type FactRow } from './FactRows';

export function AgentView({ agent, now }: { agent: Agent; now: number }) {
  const { heartbeat, health, status } = agent;
  const journal = health?.journal ?? heartbeat?.journal ?? null;
  const offset = health?.clock_offset_ms ?? heartbeat?.clock_offset_ms ?? null;
  const errors = Object.entries(health?.collector_errors ?? heartbeat?.collector_errors ?? {});
  const rows: FactRow[] = [
    ['Version', heartbeat?.agent_version ?? ''],
    ['Running for', heartbeat ? duration(heartbeat.agent_uptime_s * 1000) : ''],
    ['Last heartbeat', agent.heartbeat_at === null ? '' : ago(agent.heartbeat_at, now)],
    ['Waiting to be sent', journal ? `${count(journal.waiting)} messages` : ''],
    ['Journal', journal ? `${bytes(journal.bytes)} of ${bytes(journal.bytes_max)}` : ''],
    ['Clock', offset === null ? '' : clockWords(offset)],
    ['Log files followed', status ? count(status.log_files) : ''],
    ['Log lines read', heartbeat && heartbeat.log_lines_read > 0 ? count(heartbeat.log_lines_read) : ''],
    ['Log lines left out', heartbeat && heartbeat.log_lines_suppressed > 0 ? count(heartbeat.log_lines_suppressed) : ''],
  ];
  return (
    <section className="card table-card" aria-label="Agent" data-testid="agent">
      <h3>Agent</h3>
      <p className="table-words">
        {health ? (
          <span className={health.healthy ? 'good' : 'bad'}>{health.healthy ? 'Everything works' : 'Not everything works'}</span>
        ) : (
          <span className="quiet">{agent.trouble === null ? '' : asSentence(agent.trouble)}</span>
        )}
      </p>
      <FactRows rows={rows} />
      {errors.length > 0 && (
        <>
          <h3 className="second-heading">What does not work</h3>
          <dl className="fact-rows">
            {errors.map(([collector, error]) => (
              <div key={collector}>
                <dt>{collector}</dt>
                <dd className="bad">{error}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
    </section>
  );
}

/** Half a second is within what a look over the network can tell. */
const SAME_MS = 500;

function clockWords(offset: number): string {
  if (Math.abs(offset) < SAME_MS) return `right (${offset} ms)`;
  return `${duration(Math.abs(offset))} ${offset > 0 ? 'ahead' : 'behind'}`;
}
