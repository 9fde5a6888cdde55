// The frame around every page: brand, connection, theme and account on top, the page below.
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { Account } from '../io/contract';
import type { AlertBadge } from '../logic/alerts';
import type { Mark } from '../logic/pipeline';
import { Logo, MoonIcon, SignOutIcon, SunIcon } from './icons';
import { PageLinks } from './PageLinks';

export interface ShellProps {
  account: Account;
  connection: 'connecting' | 'open' | 'away';
  theme: 'dark' | 'light';
  /** What the link to the pipeline warns of. */
  mark: Mark | null;
  /** How many alerts are open. */
  badge: AlertBadge | null;
  onTheme(): void;
  onSignOut(): void;
  children: ReactNode;
}

const CONNECTION_WORDS = { connecting: 'Connecting', open: 'Connected', away: 'Reconnecting' };

export function Shell({ account, connection, theme, mark, badge, onTheme, onSignOut, children }: ShellProps) {
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <>
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <header className="top">
        <Link className="top-brand" href="/" aria-label="Muster, fleet overview">
          <Logo />
          <span>Muster</span>
        </Link>
        <PageLinks role={account.role} mark={mark} badge={badge} />
        <span className={`link-state link-${connection}`} data-connection={connection}>
          <span className="link-dot" aria-hidden="true" />
          <span className="link-words">{CONNECTION_WORDS[connection]}</span>
        </span>
        <div className="top-tools">
          <button className="button-icon" type="button" onClick={onTheme} aria-label={`Use the ${other} theme`} title={`Use the ${other} theme`}>
            {theme === 'dark' ? <SunIcon /> : <MoonIcon />}
          </button>
          <span className="top-account" title={`Signed in as ${account.username} (${account.role})`}>
            {account.username}
          </span>
          <button className="button-icon" type="button" onClick={onSignOut} aria-label="Sign out" title="Sign out">
            <SignOutIcon />
          </button>
        </div>
      </header>
      <main id="content" className="page" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

/** Shown while the feed is away: figures on the page are getting old. */
export function ConnectionBanner({ awayForS }: { awayForS: number }) {
  return (
    <div className="banner" role="status" data-testid="connection-banner">
      <span className="spinner" aria-hidden="true" />
      <span>
        Reconnecting to the gateway… <span className="banner-more">What you see is {awayForS} s old and catches up by itself.</span>
      </span>
    </div>
  );
}
