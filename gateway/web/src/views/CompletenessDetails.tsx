// What stands behind the completeness badge: the count of each channel, every gap with its time, its
// state and its story, and what came late.
import { Link } from 'wouter';
import type { Completeness, Gap } from '../io/contract';
import { ago, count, moment, timeSpan } from '../logic/format';
import { channelWords, gapMessages, gapStory, messages, missingOf, stateWords } from '../logic/gaps';
import { ChannelTable } from './ChannelTable';

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
      <ChannelTable channels={report.channels.map((channel) => ({ ...channel, missing: missingOf(channel) }))} />
    </div>
  );
}

const STATE_TONES: Record<string, string> = { open: 'warm', repairing: 'warm', lost: 'bad' };

function Gaps({ report, now }: CompletenessDetailsProps) {
  const gaps = report.channels.flatMap((channel) => channel.gaps.map((gap) => ({ channel: channel.channel, ...gap })));
  if (gaps.length === 0) return <p>No message is missing on any channel.</p>;
  const newest = gaps.toSorted((a, b) => (b.to_at ?? b.since) - (a.to_at ?? a.since));
  return (
    <section aria-label="What is missing">
      <h3>What is missing</h3>
      <ul className="range-list">
        {newest.slice(0, ROWS_MAX).map((gap) => (
          <li key={`${gap.channel}/${gap.epoch}/${gap.from}`}>
            <span title={numbersWords(gap)}>{writtenWords(gap, now)}</span>
            <span>
              {channelWords(gap.channel)}, {messages(gapMessages(gap))}
            </span>
            <span className="range-story">
              <b className={STATE_TONES[gap.state]} title={`since ${moment(gap.since)}`}>
                {stateWords(gap)}
              </b>
              , {gapStory(gap)}
            </span>
          </li>
        ))}
      </ul>
      <Rest hidden={newest.length - ROWS_MAX} />
    </section>
  );
}

function Rest({ hidden }: { hidden: number }) {
  return hidden > 0 ? <p>and {count(hidden)} older ones</p> : null;
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
    <section aria-label="What came late">
      <h3>What came late, and is here</h3>
      <ul className="range-list">
        {report.backfilled.slice(0, ROWS_MAX).map((range) => (
          <li key={`${range.channel}/${range.from}/${range.at}`}>
            <span>{timeSpan(range.from, range.to)}</span>
            <span>
              {channelWords(range.channel)}, {messages(range.messages)}
            </span>
            <span className="range-story">stored {moment(range.at)}</span>
          </li>
        ))}
      </ul>
      <Rest hidden={report.backfilled.length - ROWS_MAX} />
    </section>
  );
}
