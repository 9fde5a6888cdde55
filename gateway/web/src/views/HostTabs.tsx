// The tabs of a host's page: links, so that each opens in a new tab of the browser like any other.
import { Link } from 'wouter';
import { TAB_WORDS, type HostTab } from '../logic/host-tabs';

export interface HostTabsProps {
  id: string;
  tab: HostTab;
  tabs: readonly HostTab[];
}

export function HostTabs({ id, tab, tabs }: HostTabsProps) {
  return (
    <nav className="tabs" aria-label="Parts of the host">
      {tabs.map((one) => (
        <Link key={one} href={one === 'overview' ? `/hosts/${id}` : `/hosts/${id}/${one}`} aria-current={one === tab ? 'page' : undefined}>
          {TAB_WORDS[one]}
        </Link>
      ))}
    </nav>
  );
}
