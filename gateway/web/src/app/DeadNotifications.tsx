// Notifications that failed for good, page by page: sent again, or let go.
import { useState } from 'react';
import type { Channel, DeadNotification } from '../io/contract-channels';
import { burialOf } from '../logic/alert-history';
import { failureSentence } from '../logic/format';
import { OutcomeWords, type OutcomeLine } from '../views/AlertParts';
import { DeadList } from '../views/DeadList';
import { InlineFailure } from '../views/parts';
import { useNow } from './hooks';
import { useServices } from './services';
import { usePages } from './use-pages';

const DEAD_MS = 30_000;

export function DeadNotifications({ channels, mayEdit }: { channels: readonly Channel[]; mayEdit: boolean }) {
  const { alertApi } = useServices();
  const now = useNow();
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  const [outcome, setOutcome] = useState<OutcomeLine | null>(null);
  const pages = usePages({ key: 'dead', fetch: (cursor, signal) => alertApi.deadNotifications(cursor, signal), page: (page) => page, everyMs: DEAD_MS });
  const items = pages.items.filter((one) => !gone.has(burialOf(one)));
  const handle = async (one: DeadNotification, deed: 'retry' | 'discard') => {
    try {
      await alertApi.handleNotification(one.id, deed);
      setGone((before) => new Set([...before, burialOf(one)]));
      setOutcome({ good: true, words: deed === 'retry' ? 'It is tried again now. If it fails again, it comes back here.' : 'Discarded.' });
    } catch (error) {
      setOutcome({ good: false, words: failureSentence(error) });
    }
  };
  if (items.length === 0 && pages.failure === null && outcome === null) return null;
  return (
    <section className="dead-notifications" aria-label="Failed notifications">
      <h2 className="section-heading">Failed notifications</h2>
      {pages.failure !== null && <InlineFailure what="The failed notifications could not be loaded" failure={pages.failure} onRetry={pages.retry} />}
      <OutcomeWords outcome={outcome} />
      {items.length > 0 && <DeadList items={items} channels={channels} now={now} onDeed={mayEdit ? (one, deed) => void handle(one, deed) : null} />}
      {pages.more && (
        <button type="button" className="button panel-more" disabled={pages.moreBusy} onClick={pages.more}>
          Show older
        </button>
      )}
    </section>
  );
}
