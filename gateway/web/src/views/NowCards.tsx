// The figures of this moment, one card each: what a person looks at before any chart.
import type { Latest } from '../io/contract';
import { shareOf } from '../logic/fleet-order';
import { bytes, bytesPerSecond, celsius, count, load, orMissing, percent } from '../logic/format';
import { Bar } from './parts';

export interface NowCardsProps {
  latest: Latest;
  /** Figures of a host that is away are history. */
  stale: boolean;
}

interface CardProps {
  name: string;
  value: string;
  detail: string;
  share?: number | null;
}

function Card({ name, value, detail, share }: CardProps) {
  return (
    <div className="card now-card">
      <h3>{name}</h3>
      <p className="now-value">{value}</p>
      {share != null && <Bar value={share} />}
      <p className="now-detail">{detail}</p>
    </div>
  );
}

/** Its collector is off, has failed or hangs. */
const UNKNOWN = 'not collected';

export function NowCards({ latest, stale }: NowCardsProps) {
  const memory = shareOf(latest.memory_used_bytes, latest.memory_total_bytes);
  const swap = latest.swap_total_bytes ? `, swap ${orMissing(latest.swap_used_bytes, bytes)}` : '';
  return (
    <section className={stale ? 'now now-stale' : 'now'} aria-label={stale ? 'Last known figures' : 'Now'}>
      <Card name="CPU" value={orMissing(latest.cpu_usage_percent, percent)} share={latest.cpu_usage_percent} detail={latest.load_1 === null ? UNKNOWN : `load ${load(latest.load_1)}`} />
      <Card name="Memory" value={orMissing(memory, percent)} share={memory} detail={memory === null ? UNKNOWN : `${orMissing(latest.memory_used_bytes, bytes)} of ${orMissing(latest.memory_total_bytes, bytes)}${swap}`} />
      <Card name="Fullest disk" value={orMissing(latest.disk_used_percent, percent)} share={latest.disk_used_percent} detail={latest.disk_used_mount ?? 'no filesystem'} />
      <Card name="Network in" value={orMissing(latest.network_rx_bytes_per_s, bytesPerSecond)} detail={`out ${orMissing(latest.network_tx_bytes_per_s, bytesPerSecond)}`} />
      <Card name="Disk read" value={orMissing(latest.disk_read_bytes_per_s, bytesPerSecond)} detail={`write ${orMissing(latest.disk_write_bytes_per_s, bytesPerSecond)}`} />
      {latest.temperature_max_celsius === null ? (
        <Card name="Processes" value={orMissing(latest.processes_total, count)} detail={`${orMissing(latest.tcp_connections, count)} TCP connections`} />
      ) : (
        <Card name="Hottest sensor" value={celsius(latest.temperature_max_celsius)} detail={`${orMissing(latest.processes_total, count)} processes`} />
      )}
    </section>
  );
}
