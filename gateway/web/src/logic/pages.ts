// The pages of the dashboard, who sees which, and which one an address belongs to.
import { maySet } from './host-tabs';

export interface PageLink {
  href: string;
  words: string;
}

const PAGES: readonly PageLink[] = [
  { href: '/', words: 'Fleet' },
  { href: '/alerts', words: 'Alerts' },
  { href: '/logs', words: 'Logs' },
  { href: '/pipeline', words: 'Pipeline' },
  { href: '/completeness', words: 'Completeness' },
  { href: '/storage', words: 'Storage' },
  { href: '/settings', words: 'Settings' },
];

export function pagesFor(role: string): readonly PageLink[] {
  return PAGES.filter((page) => page.href !== '/settings' || maySet(role));
}

/** As `aria-current` has it: the page itself, or something on the way below it. */
export function currentOf(page: PageLink, path: string): 'page' | 'true' | undefined {
  if (path === page.href) return 'page';
  const below = page.href === '/' ? '/hosts/' : `${page.href}/`;
  return path.startsWith(below) ? 'true' : undefined;
}
