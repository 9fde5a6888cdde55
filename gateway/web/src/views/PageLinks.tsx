// The links to the pages of the dashboard. On a narrow screen they are a row of their own that can
// be scrolled, and the current one is in sight.
import { useEffect, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import type { AlertBadge } from '../logic/alerts';
import { count } from '../logic/format';
import { currentOf, pagesFor } from '../logic/pages';
import type { Mark } from '../logic/pipeline';

export interface PageLinksProps {
  role: string;
  mark: Mark | null;
  badge: AlertBadge | null;
}

export function PageLinks({ role, mark, badge }: PageLinksProps) {
  const [path] = useLocation();
  const marked = mark !== null || badge !== null;
  const row = useRef<HTMLElement>(null);
  useEffect(() => {
    const current = row.current?.querySelector<HTMLElement>('[aria-current]');
    // Not scrollIntoView: that would also move the page.
    if (row.current && current) row.current.scrollLeft = current.offsetLeft - row.current.clientWidth / 2 + current.offsetWidth / 2;
  }, [path, marked]);
  return (
    <nav ref={row} className="top-nav" aria-label="Pages">
      {pagesFor(role).map((page) => (
        <Link key={page.href} href={page.href} aria-current={currentOf(page, path)} title={page.href === '/pipeline' ? mark?.words : page.href === '/alerts' ? badge?.words : undefined}>
          {page.words}
          {page.href === '/pipeline' && mark && <MarkDot mark={mark} />}
          {page.href === '/alerts' && badge && <Badge badge={badge} />}
        </Link>
      ))}
    </nav>
  );
}

function MarkDot({ mark }: { mark: Mark }) {
  return (
    <span className={`nav-mark nav-mark-${mark.tone}`} data-testid="pipeline-mark">
      <span className="visually-hidden">: {mark.words}</span>
    </span>
  );
}

function Badge({ badge: { number, tone, words } }: { badge: AlertBadge }) {
  return (
    <span className={`nav-badge nav-badge-${tone}`} data-testid="alert-badge">
      <span aria-hidden="true">{count(number)}</span>
      <span className="visually-hidden">: {words}</span>
    </span>
  );
}
