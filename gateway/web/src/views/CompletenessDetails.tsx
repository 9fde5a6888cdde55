// What stands behind the completeness badge: the count of each channel, every gap with its time, its
// state and its story, and what came late.
import { Link } from 'wouter';
import type { Completeness, Gap } from '../io/contract';
import { ago, count, moment, share, timeSpan } from '../logic/format';
import { channelWords, gapMessages, gapStory, missingOf, stateWords } from '../logic/gaps';

export interface CompletenessDetailsProps {
  report: Completeness;
  now: number;
}

/** A screen or two; more rows say nothing more. */
const ROWS_MAX = 50;

export function CompletenessDetails({ report, now }: CompletenessDetailsProps) {
  return (
    <div className="popover popover-wide" id="completeness" role="region" aria-label="Completeness">
      <p>
        Every message an agent sends is numbered, so a missing one is known by its number. <Link className="text-link" href="/completeness">All hosts</Link>
      </p>
      <Channels report={report} />
      <Gaps report={report} now={now} />
      <Late report={report} />
    </div>
  );
}

function Channels({ report }: { report: Completeness }) {
  return (
    <div className="table-scroll">
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Channel</th>
            <th scope="col" className="number">Complete</th>
            <th scope="col" className="number">Stored</th>
            <th scope="col" className="number">Missing</th>
            <th scope="col" className="number" title="Of the missing ones">Lost</th>
            <th scope="col" className="number">Repaired</th>
            <th scope="col" className="number" title="Refused for a reason and kept among the dead letters">Set aside</th>
          </tr>
        </thead>
        <tbody>
          {report.channels.map((channel) => (
            <tr key={channel.channel}>
              <th scope="row">{channelWords(channel.channel)}</th>
              <td className="number">{share(channel.percent)}</td>
              <td className="number">{count(channel.stored)}</td>
              <td className="number">{count(missingOf(channel))}</td>
              <td className="number">{count(channel.lost)}</td>
              <td className="number">{count(channel.repaired)}</td>
              <td className="number">{count(channel.dead)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const STATE_TONES: Record<string, string> = { open: 'warm', repairing: 'warm', lost: 'bad' };

function Gaps({ report, now }: CompletenessDetailsProps) {
  const gaps = report.channels.flatMap((channel) => channel.gaps.map((gap) => ({ channel: channel.channel, ...gap })));
  if (gaps.length === 0) return <p>No message is missing on any channel.</p>;
  const newest = gaps.toSorted((a, b) => (b.to_at ?? b.since) - (a.to_at ?? a.since));
  return (
    <div className="table-scroll">
      <table className="plain-table">
        <caption>What is missing</caption>
        <thead>
          <tr>
            <th scope="col">Written</th>
            <th scope="col">Channel</th>
            <th scope="col" className="number">Messages</th>
            <th scope="col">State</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {newest.slice(0, ROWS_MAX).map((gap) => (
            <tr key={`${gap.channel}/${gap.epoch}/${gap.from}`}>
              <th scope="row" title={numbersWords(gap)}>{writtenWords(gap, now)}</th>
              <td>{channelWords(gap.channel)}</td>
              <td className="number">{count(gapMessages(gap))}</td>
              <td className={STATE_TONES[gap.state]} title={moment(gap.since)}>{stateWords(gap)}</td>
              <td className="wrap quiet">{gapStory(gap)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {newest.length > ROWS_MAX && <p>and {count(newest.length - ROWS_MAX)} older ones</p>}
    </div>
  );
}

/** When they were written is known once the gap was looked into. */
function writtenWords(gap: Gap, now: number): string {
  if (gap.from_at === null || gap.to_at === null) return `found ${ago(gap.since, now)}`;
  return timeSpan(gap.from_at, gap.to_at);
}

function numbersWords(gap: Gap): string {
  const numbers = gap.from === gap.to ? `number ${gap.from}` : `numbers ${gap.from} to ${gap.to}`;
  return `${numbers} of the journal begun ${moment(gap.epoch)}`;
}

function Late({ report }: { report: Completeness }) {
  if (report.backfilled.length === 0) return null;
  return (
    <div className="table-scroll">
      <table className="plain-table">
        <caption>What came late, and is here</caption>
        <thead>
          <tr>
            <th scope="col">Written</th>
            <th scope="col">Channel</th>
            <th scope="col" className="number">Messages</th>
            <th scope="col">Stored</th>
          </tr>
        </thead>
        <tbody>
          {report.backfilled.slice(0, ROWS_MAX).map((range) => (
            <tr key={`${range.channel}/${range.from}/${range.at}`}>
              <th scope="row">{timeSpan(range.from, range.to)}</th>
              <td>{channelWords(range.channel)}</td>
              <td className="number">{count(range.messages)}</td>
              <td>{moment(range.at)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {report.backfilled.length > ROWS_MAX && <p>and {count(report.backfilled.length - ROWS_MAX)} older ones</p>}
    </div>
  );
}
