// The tabs of a host's page, and who sees which.
export const HOST_TABS = ['overview', 'processes', 'logs', 'events', 'system', 'settings'] as const;
export type HostTab = (typeof HOST_TABS)[number];

export const TAB_WORDS: Record<HostTab, string> = {
  overview: 'Overview',
  processes: 'Processes',
  logs: 'Logs',
  events: 'Events',
  system: 'System',
  settings: 'Settings',
};

export function maySet(role: string): boolean {
  return role === 'admin' || role === 'operator';
}

/** Tickets are operators' work. */
export function mayHandle(role: string): boolean {
  return maySet(role);
}

/** What is a breach, who is told of it and when, and how long data is kept is an administrator's to say. */
export function mayGovern(role: string): boolean {
  return role === 'admin';
}

export function tabsFor(role: string): readonly HostTab[] {
  return HOST_TABS.filter((tab) => tab !== 'settings' || maySet(role));
}
