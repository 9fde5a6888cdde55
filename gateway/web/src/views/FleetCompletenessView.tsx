// The completeness of the fleet: one number and what it means, the gaps by what became of them, each
// channel, and the hosts that lack most.
import { Link } from 'wouter';
import type { FleetBackfill, FleetChannel, FleetCompleteness, LackingHost } from '../io/contract';
import { count, exactShare } from '../logic/format';
import { backfillSentence, fleetSentence } from '../logic/gaps';
import { Amount, ChannelTable, Share } from './ChannelTable';
import { CheckIcon, WarningIcon } from './icons';
import { Figure } from './parts';

export interface FleetCompletenessViewProps {
  report: FleetCompleteness;
  /** The hosts of all pages that were loaded. */
  hosts: readonly LackingHost[];
  /** Null where there are no more. */
  onMore: (() => void) | null;
  moreBusy: boolean;
  now: number;
}

export function FleetCompletenessView({ report, hosts, onMore, moreBusy, now }: FleetCompletenessViewProps) {
  return (
    <>
      <Headline report={report} />
      <GapFigures report={report} />
      <Channels channels={report.channels} late={report.backfilled} now={now} />
      <Hosts hosts={hosts} />
      {onMore && (
        <button type="button" className="button panel-more" onClick={onMore} disabled={moreBusy}>
          Show more hosts
        </button>
      )}
    </>
  );
}

function Headline({ report }: { report: FleetCompleteness }) {
  const complete = report.channels.every((channel) => channel.missing === 0);
  return (
    <section className={`card whole ${complete ? 'whole-good' : 'whole-warm'}`} aria-label="In all" data-testid="fleet-completeness">
      <span className="whole-icon">{complete ? <CheckIcon /> : <WarningIcon />}</span>
      <p className="whole-percent">{exactShare(report.percent)}</p>
      <div className="whole-words">
        <p className="whole-sentence">{fleetSentence(report.channels)}</p>
        <p className="quiet">Agents number every message they send, so a missing one is known by its number. Percentages are rounded down, so 100 % means all.</p>
      </div>
    </section>
  );
}

function GapFigures({ report: { gaps } }: { report: FleetCompleteness }) {
  return (
    <section className="now now-four" aria-label="Gaps">
      <Figure name="Open gaps" value={count(gaps.open)} tone={gaps.open > 0 ? 'warm' : undefined} detail="asked for as soon as their hosts answer" />
      <Figure name="Gaps being repaired" value={count(gaps.repairing)} tone={gaps.repairing > 0 ? 'warm' : undefined} detail="agents send these again" />
      <Figure name="Gaps repaired" value={count(gaps.repaired)} tone={gaps.repaired > 0 ? 'good' : undefined} detail="were missing and are here now" />
      <Figure name="Gaps lost" value={count(gaps.lost)} tone={gaps.lost > 0 ? 'bad' : undefined} detail="nobody has these any more" />
    </section>
  );
}

interface ChannelsProps {
  channels: readonly FleetChannel[];
  late: readonly FleetBackfill[];
  now: number;
}

function Channels({ channels, late, now }: ChannelsProps) {
  if (channels.length === 0) return null;
  return (
    <section className="card table-card" aria-label="Channels">
      <h3>By channel, in messages</h3>
      <ChannelTable channels={channels} hints />
      {late.map((range) => (
        <p className="quiet" key={range.channel}>
          {backfillSentence(range, now)}
        </p>
      ))}
    </section>
  );
}

function Hosts({ hosts }: { hosts: readonly LackingHost[] }) {
  if (hosts.length === 0) return <p className="card panel-empty">No host lacks anything.</p>;
  return (
    <section className="card table-card" aria-label="Hosts that lack something">
      <h3>Hosts that lack something</h3>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Host</th>
            <th scope="col" className="number">Complete</th>
            <th scope="col" className="number">Missing</th>
            <th scope="col" className="number" title="Of the missing ones">Lost</th>
            <th scope="col" className="number wide-only">Repaired</th>
            <th scope="col" className="number wide-only" title="That may still be repaired">Open gaps</th>
          </tr>
        </thead>
        <tbody>
          {hosts.map((host) => (
            <tr key={host.id}>
              <th scope="row" className="ellipsis host-cell" title={host.id}>
                <Link href={`/hosts/${host.id}#completeness`}>{host.id}</Link>
              </th>
              <td className="number">
                <Share percent={host.percent} missing={host.missing} />
              </td>
              <Amount value={host.missing} tone="warm" />
              <Amount value={host.lost} tone="bad" />
              <Amount value={host.repaired} tone="good" wide />
              <Amount value={host.gaps_open} wide />
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
