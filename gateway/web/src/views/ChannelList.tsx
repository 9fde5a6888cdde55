// Channels with how they fared over the last day, and what can be done with each.
import type { Channel } from '../io/contract-channels';
import { kindSpec } from '../logic/channel-kinds';
import { destinationOf, healthOf } from '../logic/channels';
import { count } from '../logic/format';
import { CheckIcon, WarningIcon } from './icons';

interface Tested {
  tone: 'good' | 'bad' | 'plain';
  words: string;
  running: boolean;
}

interface Deeds {
  onTest(channel: Channel): void;
  onEdit(channel: Channel): void;
  onRemove(channel: Channel): void;
}

export interface ChannelListProps {
  channels: readonly Channel[];
  /** What became of tests, by the number of the channel. */
  tests: ReadonlyMap<number, Tested>;
  /** Null where nothing may be done. */
  deeds: Deeds | null;
}

export function ChannelList({ channels, tests, deeds }: ChannelListProps) {
  return (
    <ul className="card channel-list" aria-label="Channels" data-testid="channels">
      {channels.map((channel) => (
        <Row key={channel.id} channel={channel} test={tests.get(channel.id) ?? null} deeds={deeds} />
      ))}
    </ul>
  );
}

function Row({ channel, test, deeds }: { channel: Channel; test: Tested | null; deeds: Deeds | null }) {
  const health = healthOf(channel);
  const { name, kind, is_default, enabled, last_error, waiting, sent_24h, dead_24h } = channel;
  return (
    <li className={enabled ? 'channel-row' : 'channel-row rule-off'} data-channel={channel.id}>
      <div className="channel-what">
        <p>
          <strong className="channel-name">{name}</strong>
          {is_default && (
            <span className="alert-mark" title="Used by rules that name no channel">
              default
            </span>
          )}
        </p>
        <p className="alert-where">
          {kindSpec(kind).words}
          {destinationOf(channel) !== '' && <span className="channel-to">{destinationOf(channel)}</span>}
        </p>
      </div>
      <span className={`channel-health event-${health.tone}`}>
        <span className="event-dot" aria-hidden="true" />
        {health.words}
      </span>
      <span className="channel-figures quiet">
        {count(sent_24h)} sent, {count(dead_24h)} failed in 24 h{waiting > 0 && `, ${count(waiting)} waiting`}
      </span>
      {deeds && (
        <div className="channel-deeds">
          <button type="button" className="button" disabled={test?.running ?? false} onClick={() => deeds.onTest(channel)}>
            Test
          </button>
          <button type="button" className="button" onClick={() => deeds.onEdit(channel)}>
            Edit
          </button>
          <button type="button" className="button button-quiet-danger" onClick={() => deeds.onRemove(channel)}>
            Delete…
          </button>
        </div>
      )}
      {last_error !== null && !test && <p className="channel-error">Last error: {last_error}</p>}
      {test && <TestLine test={test} />}
    </li>
  );
}

function TestLine({ test: { tone, words, running } }: { test: Tested }) {
  return (
    <p className={`channel-test ${tone === 'plain' ? 'quiet' : tone}`} role={tone === 'bad' ? 'alert' : 'status'} data-testid="channel-test">
      {running ? <span className="spinner" aria-hidden="true" /> : tone === 'good' ? <CheckIcon /> : <WarningIcon />}
      {words}
    </p>
  );
}
