// How much of each channel is here, in messages; and the cells that other tables of what is missing
// share with it. Leaves out which hosts they are of.
import type { FleetChannel } from '../io/contract';
import { count, exactShare } from '../logic/format';
import { channelHint, channelWords } from '../logic/gaps';

export interface ChannelTableProps {
  channels: readonly FleetChannel[];
  /** With what travels in each. */
  hints?: boolean;
}

export function ChannelTable({ channels, hints = false }: ChannelTableProps) {
  return (
    <table className="plain-table">
      <thead>
        <tr>
          <th scope="col">Channel</th>
          <th scope="col" className="number">Complete</th>
          <th scope="col" className="number">Stored</th>
          <th scope="col" className="number">Missing</th>
          <th scope="col" className="number" title="Of the missing ones">Lost</th>
          <th scope="col" className="number wide-only">Repaired</th>
          <th scope="col" className="number wide-only" title="Refused for a reason and kept among the dead letters">Set aside</th>
        </tr>
      </thead>
      <tbody>
        {channels.map((channel) => (
          <tr key={channel.channel}>
            <th scope="row">
              {channelWords(channel.channel)} {hints && <span className="quiet wide-only">{channelHint(channel.channel)}</span>}
            </th>
            <td className="number">
              <Share percent={channel.percent} missing={channel.missing} />
            </td>
            <Amount value={channel.stored} />
            <Amount value={channel.missing} tone="warm" />
            <Amount value={channel.lost} tone="bad" />
            <Amount value={channel.repaired} tone="good" wide />
            <Amount value={channel.dead} wide />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Share({ percent, missing }: { percent: number; missing: number }) {
  return <span className={missing === 0 ? 'good' : 'warm'}>{exactShare(percent)}</span>;
}

/** Nothing is said more quietly than something. */
export function Amount({ value, tone, wide = false }: { value: number; tone?: 'good' | 'warm' | 'bad'; wide?: boolean }) {
  return <td className={`number ${value === 0 ? 'missing' : (tone ?? '')} ${wide ? 'wide-only' : ''}`}>{count(value)}</td>;
}
