// The fleet as the dashboard knows it: hosts by id, reduced from the pages of the list, the live
// figures and the events. Nothing here fetches; a host that is patched before it is known is
// reported back, so that the caller can fetch it.
import type { FleetEvent, Host, HostPatch } from '../io/contract';

export interface Fleet {
  readonly hosts: ReadonlyMap<string, Host>;
  /** Grows when a host is added or changes status: what sorting and counting depend on. */
  readonly revision: number;
}

export const EMPTY_FLEET: Fleet = { hosts: new Map(), revision: 0 };

export interface Counts {
  all: number;
  online: number;
  offline: number;
}

/** A page of the list is newer than what was known, but not newer than what was heard live. */
export function withPage(fleet: Fleet, page: readonly Host[]): Fleet {
  const hosts = new Map(fleet.hosts);
  for (const host of page) {
    const known = hosts.get(host.id);
    const heardLater = (known?.latest?.at ?? 0) > (host.latest?.at ?? 0);
    hosts.set(host.id, heardLater ? seenLive(host, known as Host) : host);
  }
  return { hosts, revision: fleet.revision + 1 };
}

function seenLive(listed: Host, known: Host): Host {
  return { ...listed, latest: known.latest, last_seen_at: Math.max(listed.last_seen_at, known.last_seen_at) };
}

/** Drops what a complete listing no longer contains. */
export function keepOnly(fleet: Fleet, ids: ReadonlySet<string>): Fleet {
  const gone = [...fleet.hosts.keys()].filter((id) => !ids.has(id));
  if (gone.length === 0) return fleet;
  const hosts = new Map(fleet.hosts);
  for (const id of gone) hosts.delete(id);
  return { hosts, revision: fleet.revision + 1 };
}

export interface Patched {
  fleet: Fleet;
  /** Ids that the fleet does not have. */
  unknown: string[];
}

export function withPatches(fleet: Fleet, patches: readonly HostPatch[]): Patched {
  const hosts = new Map(fleet.hosts);
  const unknown: string[] = [];
  for (const { id, latest } of patches) {
    const host = hosts.get(id);
    if (!host) unknown.push(id);
    else if (latest.at >= (host.latest?.at ?? 0)) {
      hosts.set(id, { ...host, latest, last_seen_at: Math.max(host.last_seen_at, latest.at) });
    }
  }
  return { fleet: { hosts, revision: fleet.revision }, unknown };
}

/** Kinds of event that say nothing about a status, or come late, change nothing. */
export function withEvent(fleet: Fleet, event: FleetEvent): Patched {
  const status = event.kind;
  if (status !== 'online' && status !== 'offline') return { fleet, unknown: [] };
  const host = fleet.hosts.get(event.host);
  if (!host) return { fleet, unknown: [event.host] };
  if (event.at < host.status_since || status === host.status) return { fleet, unknown: [] };
  const seenAt = status === 'online' ? event.at : host.last_seen_at;
  const changed: Host = {
    ...host,
    status,
    status_since: event.at,
    last_seen_at: Math.max(host.last_seen_at, seenAt),
  };
  const hosts = new Map(fleet.hosts).set(host.id, changed);
  return { fleet: { hosts, revision: fleet.revision + 1 }, unknown: [] };
}

export function countHosts(fleet: Fleet): Counts {
  const counts: Counts = { all: 0, online: 0, offline: 0 };
  for (const host of fleet.hosts.values()) {
    counts.all += 1;
    if (host.status === 'online') counts.online += 1;
    if (host.status === 'offline') counts.offline += 1;
  }
  return counts;
}
