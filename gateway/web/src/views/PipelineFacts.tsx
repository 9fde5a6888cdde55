// What the stages leave behind: the journal with the least room, the ledger's gaps, the dead
// letters, and the database's own figures.
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { Pipeline } from '../io/contract-pipeline';
import { ago, asSentence, bytes, bytesPerSecond, count, duration, milliseconds, moment, percent } from '../logic/format';
import { holdTime } from '../logic/pipeline';
import { FactRows, type FactRow } from './FactRows';
import { ChevronIcon } from './icons';

export function PipelineFacts({ pipeline, now }: { pipeline: Pipeline; now: number }) {
  return (
    <div className="pipeline-facts">
      <Ledger ledger={pipeline.ledger} />
      <DeadLetters letters={pipeline.dead_letters} now={now} />
      <Journals agents={pipeline.agents} />
      <DatabaseFacts database={pipeline.database} />
    </div>
  );
}

interface FactCardProps {
  title: string;
  sentence: string;
  tone: '' | 'bad' | 'warm';
  rows: readonly FactRow[];
  children?: ReactNode;
}

function FactCard({ title, sentence, tone, rows, children }: FactCardProps) {
  return (
    <section className="card table-card fact-card" aria-label={title}>
      <h3>{title}</h3>
      <p className={`fact-sentence ${tone}`}>{sentence}</p>
      <FactRows rows={rows} />
      {children}
    </section>
  );
}

function Ledger({ ledger }: { ledger: Pipeline['ledger'] }) {
  const known = ledger.as_of !== null;
  const rows: FactRow[] = [
    ['Missing', ledger.missing > 0 && `${count(ledger.missing)} messages`],
    ['Gaps', ledger.gaps > 0 && `${count(ledger.gaps)} on ${count(ledger.hosts_with_gaps)} hosts`],
    ['Dropped', ledger.dropped > 0 && `${count(ledger.dropped)} for want of room in a journal`],
  ];
  return (
    <FactCard title="Ledger" sentence={known ? asSentence(ledger.sentence) : 'It has not been counted yet.'} tone={ledger.missing > 0 ? 'warm' : ''} rows={rows.filter(([, value]) => value !== false)}>
      <Onward href="/completeness" words="Completeness of the fleet" />
    </FactCard>
  );
}

function DeadLetters({ letters, now }: { letters: Pipeline['dead_letters']; now: number }) {
  const oldest = letters.oldest_at;
  const age = oldest !== null && <span title={moment(oldest)}>{ago(oldest, now)}</span>;
  const rows: FactRow[] = letters.count === 0 ? [] : [['Size', bytes(letters.bytes)], ['Oldest', age || null]];
  return (
    <FactCard title="Dead letters" sentence={letters.count === 0 ? 'Every message could be stored.' : asSentence(letters.sentence)} tone={letters.count > 0 ? 'warm' : ''} rows={rows}>
      <Onward href="/pipeline/dead-letters" words={letters.count === 0 ? 'Dead letters' : `Look at ${letters.count === 1 ? 'it' : 'them'}`} />
    </FactCard>
  );
}

function Journals({ agents }: { agents: Pipeline['agents'] }) {
  const { fullest } = agents;
  const sentence = fullest === null ? 'No agent has told of its journal yet.' : `${count(agents.hosts)} journals hold ${bytes(agents.bytes)}.`;
  const rows: FactRow[] = fullest === null ? [] : [
    ['Fullest', <Link key="host" className="text-link" href={`/hosts/${encodeURIComponent(fullest.host)}`}>{fullest.host}</Link>],
    ['Filled', `${percent(fullest.full_percent)} of ${bytes(fullest.bytes_max)}`],
    ['Fills at', fullest.fill_bytes_per_s === null ? null : bytesPerSecond(fullest.fill_bytes_per_s)],
    ['Can hold', holdTime(fullest.can_hold_s)],
  ];
  return <FactCard title="Journals of the agents" sentence={sentence} tone={agents.state === 'ok' ? '' : 'warm'} rows={rows} />;
}

function DatabaseFacts({ database }: { database: Pipeline['database'] }) {
  const known = database.as_of !== null;
  const rows: FactRow[] = !known ? [] : [
    ['Server', `PostgreSQL ${database.version.split(' ')[0] ?? ''}`],
    ['Answers in', milliseconds(database.answer_ms)],
    ['Oldest transaction', database.oldest_transaction_s === 0 ? 'none open' : duration(Math.max(1, database.oldest_transaction_s) * 1000)],
    ['Size', database.size_bytes === null ? null : bytes(database.size_bytes)],
  ];
  const engine = database.engine === 'timescale' ? 'With TimescaleDB.' : 'Without extensions.';
  return <FactCard title="Database" sentence={known ? engine : 'It has not answered yet.'} tone={database.state === 'ok' ? '' : 'bad'} rows={rows} />;
}

function Onward({ href, words }: { href: string; words: string }) {
  return (
    <Link className="onward" href={href}>
      {words}
      <ChevronIcon />
    </Link>
  );
}
