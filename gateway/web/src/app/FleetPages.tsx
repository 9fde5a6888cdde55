// The pages of the whole fleet besides its list: the log lines of all hosts, and what is set for all.
import { maySet } from '../logic/host-tabs';
import { WarningIcon } from '../views/icons';
import { Notice } from '../views/parts';
import { useRole, useTitle } from './hooks';
import { LogsPanel } from './LogsPanel';
import { SettingsPanel } from './SettingsPanel';

export function LogsPage() {
  useTitle('Logs');
  return (
    <div className="host">
      <h1 className="page-title">Logs of all hosts</h1>
      <LogsPanel host={null} />
    </div>
  );
}

export function SettingsPage() {
  useTitle('Settings');
  const role = useRole();
  if (!maySet(role)) {
    return (
      <Notice icon={<WarningIcon />} title="Only operators may see this">
        <p>You are signed in as a {role}.</p>
      </Notice>
    );
  }
  return (
    <div className="host">
      <h1 className="page-title">Settings of all agents</h1>
      <SettingsPanel host={null} />
    </div>
  );
}
