// The tabs of a host's page, and who sees which.
export const HOST_TABS = ['overview', 'processes', 'logs', 'system', 'settings'] as const;
export type HostTab = (typeof HOST_TABS)[number];

export const TAB_WORDS: Record<HostTab, string> = {
  overview: 'Overview',
  processes: 'Processes',
  logs: 'Logs',
  system: 'System',
  settings: 'Settings',
};

export function maySet(role: string): boolean {
  return role === 'admin' || role === 'operator';
}

export function tabsFor(role: string): readonly HostTab[] {
  return HOST_TABS.filter((tab) => tab !== 'settings' || maySet(role));
}
