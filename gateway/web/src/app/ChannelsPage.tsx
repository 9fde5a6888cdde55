// Where notifications go: the channels with how they fare, a form for one, what could not be sent, and
// the dead-man's switch.
import { useState } from 'react';
import type { Channel } from '../io/contract-channels';
import { failureSentence } from '../logic/format';
import { mayGovern } from '../logic/host-tabs';
import { AlertTabs, OutcomeWords, type OutcomeLine } from '../views/AlertParts';
import { ChannelList } from '../views/ChannelList';
import { ConfirmDialog } from '../views/ConfirmDialog';
import { BellIcon, PlusIcon } from '../views/icons';
import { InlineFailure, LoadingWords, Notice, Skeleton } from '../views/parts';
import { ChannelEditor } from './ChannelEditor';
import { DeadmanPanel } from './DeadmanPanel';
import { DeadNotifications } from './DeadNotifications';
import { usePolled, useRole, useTitle } from './hooks';
import { useServices } from './services';
import { useTests } from './use-tests';

const CHANNELS_MS = 15_000;

export function ChannelsPage() {
  useTitle('Channels');
  const { alertApi } = useServices();
  const channels = usePolled({ key: 'all', fetch: async (signal) => (await alertApi.channels(signal)).items, nextMs: () => CHANNELS_MS });
  const mayEdit = mayGovern(useRole());
  // `new` is one that is not there yet.
  const [edited, setEdited] = useState<Channel | 'new' | null>(null);
  const [outcome, setOutcome] = useState<OutcomeLine | null>(null);
  const close = (words: string | null) => {
    setEdited(null);
    setOutcome(words === null ? null : { good: true, words });
    channels.retry();
  };
  return (
    <div className="host">
      <div className="alerts-head">
        <h1 className="page-title">Channels</h1>
        {mayEdit && edited === null && (
          <button type="button" className="button button-primary" onClick={() => (setEdited('new'), setOutcome(null))}>
            <PlusIcon />
            New channel
          </button>
        )}
      </div>
      <AlertTabs current="/alerts/channels" />
      {edited !== null && <ChannelEditor key={edited === 'new' ? 'new' : edited.id} channel={edited === 'new' ? null : edited} onClose={close} />}
      <OutcomeWords outcome={outcome} />
      {channels.failure !== null && <InlineFailure what="The channels could not be loaded" failure={channels.failure} onRetry={channels.retry} />}
      {channels.loading && (
        <>
          <LoadingWords>Loading the channels</LoadingWords>
          <Skeleton className="card skeleton-chart" />
        </>
      )}
      {channels.value?.length === 0 && edited === null && (
        <Notice icon={<BellIcon />} title="Nobody is notified yet">
          <p>Alerts are only shown in the inbox. Add a channel and make it the default to be notified by e-mail, chat, pager or webhook.</p>
        </Notice>
      )}
      {channels.value && channels.value.length > 0 && <Listed channels={channels.value} mayEdit={mayEdit} onEdit={setEdited} onOutcome={setOutcome} onGone={channels.retry} />}
      {channels.value && <DeadNotifications channels={channels.value} mayEdit={mayEdit} />}
      <DeadmanPanel mayEdit={mayEdit} />
    </div>
  );
}

interface ListedProps {
  channels: readonly Channel[];
  mayEdit: boolean;
  onEdit(channel: Channel): void;
  onOutcome(outcome: OutcomeLine): void;
  onGone(): void;
}

function Listed({ channels, mayEdit, onEdit, onOutcome, onGone }: ListedProps) {
  const { alertApi } = useServices();
  const [asked, setAsked] = useState<Channel | null>(null);
  const tests = useTests();
  const remove = async (channel: Channel) => {
    setAsked(null);
    try {
      await alertApi.removeChannel(channel.id);
      onOutcome({ good: true, words: `${channel.name} was deleted.` });
    } catch (error) {
      onOutcome({ good: false, words: failureSentence(error) });
    }
    onGone();
  };
  const edit = (channel: Channel) => {
    onEdit(channel);
    window.scrollTo({ top: 0 });
  };
  return (
    <>
      <ChannelList channels={channels} tests={tests.outcomes} deeds={mayEdit ? { onTest: tests.run, onEdit: edit, onRemove: setAsked } : null} />
      {asked && (
        <ConfirmDialog title={`Delete ${asked.name}?`} action="Delete" tone="bad" onConfirm={() => void remove(asked)} onClose={() => setAsked(null)}>
          <p>What still waits for it is not sent; what was sent stays on the tickets. A rule that names it has to name another first.</p>
        </ConfirmDialog>
      )}
    </>
  );
}
