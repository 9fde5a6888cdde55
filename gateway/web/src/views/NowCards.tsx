// The figures of this moment, one card each: what a person looks at before any chart.
import type { Latest } from '../io/contract';
import { bytes, bytesPerSecond, celsius, count, load, MISSING, percent } from '../logic/format';
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

function part(used: number, total: number): number | null {
  return total === 0 ? null : (used / total) * 100;
}

function orMissing(value: number | null, print: (value: number) => string): string {
  return value === null ? MISSING : print(value);
}

export function NowCards({ latest, stale }: NowCardsProps) {
  const memory = part(latest.memory_used_bytes, latest.memory_total_bytes);
  const swap = latest.swap_total_bytes > 0 ? `, swap ${bytes(latest.swap_used_bytes)}` : '';
  return (
    <section className={stale ? 'now now-stale' : 'now'} aria-label={stale ? 'Last known figures' : 'Now'}>
      <Card name="CPU" value={percent(latest.cpu_usage_percent)} share={latest.cpu_usage_percent} detail={`load ${load(latest.load_1)}`} />
      <Card name="Memory" value={orMissing(memory, percent)} share={memory} detail={`${bytes(latest.memory_used_bytes)} of ${bytes(latest.memory_total_bytes)}${swap}`} />
      <Card name="Fullest disk" value={orMissing(latest.disk_used_percent, percent)} share={latest.disk_used_percent} detail={latest.disk_used_mount ?? 'no filesystem'} />
      <Card name="Network in" value={bytesPerSecond(latest.network_rx_bytes_per_s)} detail={`out ${bytesPerSecond(latest.network_tx_bytes_per_s)}`} />
      <Card name="Disk read" value={bytesPerSecond(latest.disk_read_bytes_per_s)} detail={`write ${bytesPerSecond(latest.disk_write_bytes_per_s)}`} />
      {latest.temperature_max_celsius === null ? (
        <Card name="Processes" value={count(latest.processes_total)} detail={`${count(latest.tcp_connections)} TCP connections`} />
      ) : (
        <Card name="Hottest sensor" value={celsius(latest.temperature_max_celsius)} detail={`${count(latest.processes_total)} processes`} />
      )}
    </section>
  );
}
