// One host in the fleet table, a row on a screen and a card on a phone (the stylesheet decides).
// The link on the name covers the whole row, so that it can be opened in a new tab like any link.
import { memo } from 'react';
import { Link } from 'wouter';
import type { Host, Latest } from '../io/contract';
import { alertsWords, PRIORITY_WORDS, type HostAlerts } from '../logic/alerts';
import { memoryPercent } from '../logic/fleet-order';
import { ago, bytes, bytesPerSecond, celsius, duration, load, MISSING, moment, orMissing } from '../logic/format';
import { Meter, Status } from './parts';

export interface FleetRowProps {
  host: Host;
  /** Position in the whole list, from 1, for assistive technology. */
  position: number;
  seen: string;
  /** What is not resolved of it. */
  alerts: HostAlerts | null;
}

export function lastSeen(host: Host, now: number): string {
  return ago(host.last_seen_at, now);
}

export const FleetRow = memo(function FleetRow({ host, position, seen, alerts }: FleetRowProps) {
  return (
    <div role="row" aria-rowindex={position + 1} className={`fleet-row fleet-row-${host.status}`} data-host={host.id}>
      <div role="cell" className="cell-host">
        <Link href={`/hosts/${host.id}`} className="row-link" title={host.id}>
          {host.id}
        </Link>
        {alerts && <AlertLink host={host.id} alerts={alerts} />}
      </div>
      <div role="cell" className="cell-status">
        <Status status={host.status} />
      </div>
      <Figures latest={host.latest} memory={memoryPercent(host)} />
      <div role="cell" className="cell-number cell-seen" title={moment(host.last_seen_at)}>
        {seen}
      </div>
    </div>
  );
});

function AlertLink({ host, alerts: { number, worst } }: { host: string; alerts: HostAlerts }) {
  const words = `${alertsWords(number)}, the worst ${PRIORITY_WORDS[worst].toLowerCase()}`;
  return (
    <Link href={`/alerts?host=${host}`} className={`host-alerts host-alerts-${worst}`} title={words} data-testid="host-alerts">
      <span aria-hidden="true">{number}</span>
      <span className="visually-hidden">{words}</span>
    </Link>
  );
}

function Figures({ latest, memory }: { latest: Latest | null; memory: number | null }) {
  const memoryTitle = latest ? `${orMissing(latest.memory_used_bytes, bytes)} of ${orMissing(latest.memory_total_bytes, bytes)}` : '';
  return (
    <>
      <div role="cell" className="cell-meter" data-label="CPU" data-cell="cpu">
        <Meter value={latest?.cpu_usage_percent ?? null} />
      </div>
      <div role="cell" className="cell-meter" data-label="Memory" data-cell="memory">
        <Meter value={memory} title={memoryTitle} />
      </div>
      <div role="cell" className="cell-meter" data-label="Disk" data-cell="disk">
        <Meter value={latest?.disk_used_percent ?? null} title={latest?.disk_used_mount ?? ''} />
      </div>
      <div role="cell" className="cell-number cell-network" data-cell="network">
        {latest ? <Rates received={latest.network_rx_bytes_per_s} sent={latest.network_tx_bytes_per_s} /> : MISSING}
      </div>
      <div role="cell" className="cell-number cell-load" title={latest ? loads(latest) : ''}>
        {orMissing(latest?.load_1, load)}
      </div>
      <div role="cell" className="cell-number cell-temperature">
        {orMissing(latest?.temperature_max_celsius, celsius)}
      </div>
      <div role="cell" className="cell-number cell-uptime">
        {latest ? duration(latest.uptime_s * 1000) : MISSING}
      </div>
    </>
  );
}

function loads(latest: Latest): string {
  const each = [latest.load_1, latest.load_5, latest.load_15].map((value) => orMissing(value, load));
  return `${each.join(', ')} (1, 5, 15 min)`;
}

function Rates({ received, sent }: { received: number | null; sent: number | null }) {
  return (
    <>
      <span>
        <span className="visually-hidden">in </span>
        <span className="arrow" aria-hidden="true">↓</span>
        {orMissing(received, bytesPerSecond)}
      </span>
      <span>
        <span className="visually-hidden">out </span>
        <span className="arrow" aria-hidden="true">↑</span>
        {orMissing(sent, bytesPerSecond)}
      </span>
    </>
  );
}
