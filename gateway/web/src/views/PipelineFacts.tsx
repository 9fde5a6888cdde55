// What the stages leave behind: the journal with the least room, the ledger's gaps, the dead
// letters, and the database's own figures.
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { Pipeline } from '../io/contract-pipeline';
import { ago, asSentence, bytes, bytesPerSecond, count, MISSING, moment, percent } from '../logic/format';
import { holdTime, lagTime, oldSince } from '../logic/pipeline';
import { FactRows, type FactRow } from './FactRows';
import { ChevronIcon } from './icons';

export function PipelineFacts({ pipeline, now }: { pipeline: Pipeline; now: number }) {
  const old = (part: Parameters<typeof oldSince>[1]) => {
    const since = oldSince(pipeline, part);
    return since === null ? null : ago(since, now);
  };
  return (
    <div className="pipeline-facts">
      <Ledger ledger={pipeline.ledger} old={old('ledger')} />
      <DeadLetters letters={pipeline.dead_letters} old={old('dead_letters')} now={now} />
      <Journals agents={pipeline.agents} old={old('agents')} />
      <DatabaseFacts database={pipeline.database} old={old('database')} />
    </div>
  );
}

interface FactCardProps {
  title: string;
  sentence: string;
  tone: '' | 'bad' | 'warm';
  rows: readonly FactRow[];
  /** How old the figures are, where they are. */
  old: string | null;
  children?: ReactNode;
}

function FactCard({ title, sentence, tone, rows, old, children }: FactCardProps) {
  return (
    <section className="card table-card fact-card" aria-label={title}>
      <h3>
        {title}
        {old !== null && <span className="fact-old">as of {old}</span>}
      </h3>
      <p className={`fact-sentence ${tone}`}>{sentence}</p>
      <FactRows rows={rows} />
      {children}
    </section>
  );
}

function Ledger({ ledger, old }: { ledger: Pipeline['ledger']; old: string | null }) {
  if (ledger.as_of === null) return <FactCard title="Ledger" sentence="It has not been counted yet." tone="" rows={[]} old={null} />;
  const rows: FactRow[] = [
    ['Missing', count(ledger.missing)],
    ['Gaps', ledger.gaps === 0 ? '0' : `${count(ledger.gaps)} on ${count(ledger.hosts_with_gaps)} ${ledger.hosts_with_gaps === 1 ? 'host' : 'hosts'}`],
    ['Dropped by agents', <span key="dropped" title="For want of room in a journal, ever">{count(ledger.dropped)}</span>],
  ];
  return (
    <FactCard title="Ledger" sentence={asSentence(ledger.sentence)} tone={ledger.missing > 0 ? 'warm' : ''} rows={rows} old={old}>
      <Onward href="/completeness" words="Completeness of the fleet" />
    </FactCard>
  );
}

function DeadLetters({ letters, old, now }: { letters: Pipeline['dead_letters']; old: string | null; now: number }) {
  const { oldest_at: oldest, count: kept } = letters;
  const rows: FactRow[] = [
    ['Kept', count(kept)],
    ['Size', bytes(letters.bytes)],
    ['Oldest', oldest === null ? MISSING : <span key="oldest" title={moment(oldest)}>{ago(oldest, now)}</span>],
  ];
  return (
    <FactCard title="Dead letters" sentence={kept === 0 ? 'Every message could be stored.' : 'Some messages could not be stored.'} tone={kept > 0 ? 'warm' : ''} rows={rows} old={old}>
      <Onward href="/pipeline/dead-letters" words={kept > 0 ? 'Look at them' : 'Dead letters'} />
    </FactCard>
  );
}

function Journals({ agents, old }: { agents: Pipeline['agents']; old: string | null }) {
  const { fullest } = agents;
  const sentence = fullest === null ? 'No agent has told of its journal yet.' : `${count(agents.hosts)} journals hold ${bytes(agents.bytes)}.`;
  const rows: FactRow[] = fullest === null ? [] : [
    ['Fullest', <Link key="host" className="text-link" href={`/hosts/${encodeURIComponent(fullest.host)}`}>{fullest.host}</Link>],
    ['Filled', `${percent(fullest.full_percent)} of ${bytes(fullest.bytes_max)}`],
    ['Fills at', fullest.fill_bytes_per_s === null ? null : bytesPerSecond(fullest.fill_bytes_per_s)],
    ['Can hold', holdTime(fullest.can_hold_s)],
  ];
  return <FactCard title="Journals of the agents" sentence={sentence} tone={agents.state === 'ok' ? '' : 'warm'} rows={rows} old={old} />;
}

function DatabaseFacts({ database, old }: { database: Pipeline['database']; old: string | null }) {
  const known = database.as_of !== null;
  const rows: FactRow[] = !known ? [] : [
    ['Server', `PostgreSQL ${database.version.split(' ')[0] ?? ''}`],
    ['Engine', database.engine === 'timescale' ? 'TimescaleDB' : 'plain tables'],
    ['Connections', `${count(database.connections)} of ${count(database.connections_max)}`],
    ['Oldest transaction', database.oldest_transaction_s === 0 ? 'none open' : lagTime(database.oldest_transaction_s)],
  ];
  const size = database.size_bytes === null ? 'Its size is not known yet.' : `It holds ${bytes(database.size_bytes)}.`;
  const sentence = !known ? 'It has not answered yet.' : database.state === 'ok' ? size : 'It does not answer.';
  return <FactCard title="Database" sentence={sentence} tone={database.state === 'ok' ? '' : 'bad'} rows={rows} old={old} />;
}

function Onward({ href, words }: { href: string; words: string }) {
  return (
    <Link className="onward" href={href}>
      {words}
      <ChevronIcon />
    </Link>
  );
}
