// The top of a host page: which host, how it is doing, since when, and whether all it ever sent has
// arrived. Leaves out its figures.
import { useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import type { Completeness, Host } from '../io/contract';
import { ago, count, duration, moment, share } from '../logic/format';
import { judge } from '../logic/gaps';
import { CompletenessDetails } from './CompletenessDetails';
import { CheckIcon, ChevronIcon, WarningIcon } from './icons';
import { Status } from './parts';

export interface HostHeaderProps {
  host: Host;
  completeness: Completeness | null;
  now: number;
}

export function HostHeader({ host, completeness, now }: HostHeaderProps) {
  return (
    <header className="host-header">
      <nav aria-label="Breadcrumb" className="crumbs">
        <Link href="/">Fleet</Link>
        <ChevronIcon />
        <span aria-current="page">{host.id}</span>
      </nav>
      <div className="host-title">
        <h1>{host.id}</h1>
        <Status status={host.status} />
        {completeness && <CompletenessBadge report={completeness} now={now} />}
      </div>
      <Facts host={host} now={now} />
    </header>
  );
}

function Facts({ host, now }: { host: Host; now: number }) {
  const { latest } = host;
  return (
    <dl className="facts">
      <Fact name={host.status === 'unknown' ? 'Known for' : `${host.status === 'online' ? 'Online' : 'Offline'} for`} title={moment(host.status_since)}>
        {duration(Math.max(0, now - host.status_since))}
      </Fact>
      {latest && host.status === 'online' && (
        <Fact name="Uptime" title={`Started ${moment(latest.at - latest.uptime_s * 1000)}`}>
          {duration(latest.uptime_s * 1000)}
        </Fact>
      )}
      <Fact name="Last seen" title={moment(host.last_seen_at)}>
        {ago(host.last_seen_at, now)}
      </Fact>
      {host.os && <Fact name="System">{host.os}</Fact>}
      {host.location && <Fact name="Location">{host.location}</Fact>}
      <Fact name="Agent">{host.agent_version ?? 'unknown'}</Fact>
      {Object.entries(host.labels).map(([name, value]) => (
        <Fact key={name} name={name}>
          {value}
        </Fact>
      ))}
    </dl>
  );
}

function Fact({ name, title, children }: { name: string; title?: string; children: string }) {
  return (
    <div className="fact" title={title}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function CompletenessBadge({ report, now }: { report: Completeness; now: number }) {
  // A link from the page of all hosts leads straight to what is missing.
  const [open, setOpen] = useState(() => window.location.hash === '#completeness');
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const close = (event: Event) => {
      const outside = event.target instanceof Node && !box.current?.contains(event.target);
      if (outside || (event instanceof KeyboardEvent && event.key === 'Escape')) setOpen(false);
    };
    document.addEventListener('pointerdown', close);
    document.addEventListener('keydown', close);
    return () => {
      document.removeEventListener('pointerdown', close);
      document.removeEventListener('keydown', close);
    };
  }, [open]);
  const { complete, missing, percent } = judge(report);
  const words = missing > 0 ? `${count(missing)} ${missing === 1 ? 'message' : 'messages'} missing` : `${share(percent)} accounted for`;
  return (
    <div className="badge-box" ref={box}>
      <button type="button" className={`badge ${complete ? 'badge-good' : 'badge-warm'}`} aria-expanded={open} aria-controls="completeness" onClick={() => setOpen(!open)} data-testid="completeness">
        {complete ? <CheckIcon /> : <WarningIcon />}
        {words}
      </button>
      {open && <CompletenessDetails report={report} now={now} />}
    </div>
  );
}
