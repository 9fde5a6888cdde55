// Which page is shown: signed out, or the one of the address. Leaves out what is on them.
import { useEffect, useState } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';
import type { SessionState } from '../io/session';
import { chooseTheme, theme as themeStore } from '../io/theme';
import { badgeOf } from '../logic/alerts';
import { asSentence } from '../logic/format';
import { markOf } from '../logic/pipeline';
import { Logo, WarningIcon } from '../views/icons';
import { Notice } from '../views/parts';
import { ConnectionBanner, Shell } from '../views/Shell';
import { AlertSummaryPage } from './AlertSummaryPage';
import { AlertsPage } from './AlertsPage';
import { ChannelsPage } from './ChannelsPage';
import { CompletenessPage } from './CompletenessPage';
import { DeadLettersPage } from './DeadLettersPage';
import { FleetPage } from './FleetPage';
import { LogsPage, SettingsPage } from './FleetPages';
import { HostPage } from './HostPage';
import { useStore, useTitle } from './hooks';
import { PipelinePage } from './PipelinePage';
import { NewRulePage, RulePage } from './RulePage';
import { RulesPage } from './RulesPage';
import { useServices } from './services';
import { SignInPage } from './SignInPage';
import { SilencesPage } from './SilencesPage';
import { StoragePage } from './StoragePage';
import { TicketPage } from './TicketPage';
import { useAlertCounts } from './use-alerts';
import { PipelineContext, useWatchedPipeline } from './use-pipeline';

export function App() {
  const { session } = useServices();
  const state = useStore(session.state);
  if (state.phase === 'signed_in') return <SignedIn state={state} />;
  if (state.phase === 'signed_out') return <SignInPage />;
  return <Starting reason={state.phase === 'unreachable' ? state.reason : null} />;
}

function SignedIn({ state }: { state: Extract<SessionState, { phase: 'signed_in' }> }) {
  const { session, feed } = useServices();
  const link = useStore(feed.link);
  const theme = useStore(themeStore);
  const pipeline = useWatchedPipeline();
  const counts = useAlertCounts();
  useOpenedTickets();
  return (
    <Shell
      account={state.account}
      connection={link.status}
      theme={theme}
      mark={markOf(pipeline.value)}
      badge={badgeOf(counts)}
      onTheme={() => chooseTheme(theme === 'dark' ? 'light' : 'dark')}
      onSignOut={() => void session.signOut()}
    >
      {link.status === 'away' && <Away />}
      <ScrollToTop />
      <PipelineContext value={pipeline}>
        <Pages />
      </PipelineContext>
    </Shell>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/" component={FleetPage} />
      <Route path="/alerts" component={AlertsPage} />
      <Route path="/alerts/rules" component={RulesPage} />
      <Route path="/alerts/rules/new" component={NewRulePage} />
      <Route path="/alerts/rules/:id">{({ id }) => (isNumber(id) ? <RulePage key={id} id={Number(id)} /> : <NoSuchPage />)}</Route>
      <Route path="/alerts/silences" component={SilencesPage} />
      <Route path="/alerts/channels" component={ChannelsPage} />
      <Route path="/alerts/summary" component={AlertSummaryPage} />
      <Route path="/alerts/:id">{({ id }) => (isNumber(id) ? <TicketPage key={id} id={Number(id)} /> : <NoSuchPage />)}</Route>
      <Route path="/logs" component={LogsPage} />
      <Route path="/pipeline" component={PipelinePage} />
      <Route path="/pipeline/dead-letters" component={DeadLettersPage} />
      <Route path="/completeness" component={CompletenessPage} />
      <Route path="/storage" component={StoragePage} />
      <Route path="/settings" component={SettingsPage} />
      <Route path="/hosts/:id/:tab?">{({ id, tab }) => <HostPage key={id} id={id} tab={tab} />}</Route>
      <Route component={NoSuchPage} />
    </Switch>
  );
}

function isNumber(id: string): boolean {
  return /^\d{1,15}$/u.test(id);
}

/** A click on a notification of the browser leads to its ticket. */
function useOpenedTickets(): void {
  const { alerts } = useServices();
  const [, navigate] = useLocation();
  useEffect(() => alerts.opensWith(navigate), [alerts, navigate]);
}

/** A blink of the network is not worth a banner. */
const BANNER_AFTER_S = 2;

/** Mounted while the feed is away, so it counts for how long that is. */
function Away() {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return seconds < BANNER_AFTER_S ? null : <ConnectionBanner awayForS={seconds} />;
}

function ScrollToTop() {
  const [path] = useLocation();
  useEffect(() => {
    if (path !== '/') window.scrollTo(0, 0);
  }, [path]);
  return null;
}

function Starting({ reason }: { reason: string | null }) {
  useTitle('Starting');
  return (
    <main className="starting">
      <Logo size={44} />
      {reason ? <p role="alert">{asSentence(reason)} Trying again every few seconds.</p> : <span className="visually-hidden">Loading</span>}
    </main>
  );
}

function NoSuchPage() {
  useTitle('Not found');
  return (
    <Notice icon={<WarningIcon />} title="There is no such page">
      <Link className="button" href="/">
        Go to the fleet
      </Link>
    </Notice>
  );
}
