// What stands behind the completeness badge: the count of each channel, and every gap by its numbers.
import type { Completeness } from '../io/contract';
import { ago, count, moment, share } from '../logic/format';
import { gapMessages, missingOf } from '../logic/gaps';

export interface CompletenessDetailsProps {
  report: Completeness;
  now: number;
}

export function CompletenessDetails({ report, now }: CompletenessDetailsProps) {
  return (
    <div className="popover" id="completeness" role="region" aria-label="Completeness">
      <p>Every message an agent sends is numbered, so a missing one is known by its number.</p>
      <Channels report={report} />
      <Gaps report={report} now={now} />
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
            <th scope="col" className="number">Missing</th>
            <th scope="col" className="number">Stored</th>
            <th scope="col" className="number">Repaired</th>
            <th scope="col" className="number" title="Kept apart because they could not be read">Set aside</th>
          </tr>
        </thead>
        <tbody>
          {report.channels.map((channel) => (
            <tr key={channel.channel}>
              <th scope="row">{channel.channel}</th>
              <td className="number">{share(channel.percent)}</td>
              <td className="number">{count(missingOf(channel))}</td>
              <td className="number">{count(channel.stored)}</td>
              <td className="number">{count(channel.repaired)}</td>
              <td className="number">{count(channel.dead)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Gaps({ report, now }: CompletenessDetailsProps) {
  const gaps = report.channels.flatMap((channel) => channel.gaps.map((gap) => ({ channel: channel.channel, ...gap })));
  if (gaps.length === 0) return <p>No message is missing on any channel.</p>;
  return (
    <div className="table-scroll">
      <table className="plain-table">
        <caption>Gaps</caption>
        <thead>
          <tr>
            <th scope="col">Channel</th>
            <th scope="col">State</th>
            <th scope="col">Numbers</th>
            <th scope="col" className="number">Messages</th>
            <th scope="col" className="number">Last change</th>
          </tr>
        </thead>
        <tbody>
          {gaps.map((gap) => (
            <tr key={`${gap.channel}/${gap.epoch}/${gap.from}`}>
              <th scope="row">{gap.channel}</th>
              <td>{gap.state}</td>
              <td title={`Journal begun ${moment(gap.epoch)}`}>{gap.from === gap.to ? gap.from : `${gap.from} – ${gap.to}`}</td>
              <td className="number">{count(gapMessages(gap))}</td>
              <td className="number" title={moment(gap.since)}>{ago(gap.since, now)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
