// The pages of alerting, as the links between them name them.
export const ALERT_PAGES = [
  { href: '/alerts', words: 'Inbox' },
  { href: '/alerts/rules', words: 'Rules' },
  { href: '/alerts/silences', words: 'Silences' },
  { href: '/alerts/channels', words: 'Channels' },
  { href: '/alerts/summary', words: 'Summary' },
] as const;
