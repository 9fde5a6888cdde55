// Small parts that several views draw: a status, a meter with its number, and the block shown in
// place of content that is loading, empty or could not be had.
import type { ReactNode } from 'react';
import type { HostStatus } from '../io/contract';
import { failureSentence, MISSING, percent } from '../logic/format';
import { usageLevel } from '../logic/level';
import { WarningIcon } from './icons';

const STATUS_WORDS: Record<HostStatus, string> = {
  online: 'Online',
  offline: 'Offline',
  unknown: 'Unknown',
};

/** The dot's shape differs as well as its colour: filled, crossed out, hollow. */
export function Status({ status }: { status: HostStatus }) {
  return (
    <span className={`status status-${status}`}>
      <span className="status-dot" aria-hidden="true" />
      {STATUS_WORDS[status]}
    </span>
  );
}

export function Bar({ value }: { value: number }) {
  const width = Math.min(100, Math.max(0, value));
  return (
    <span className={`bar bar-${usageLevel(value)}`} aria-hidden="true">
      <span className="bar-fill" style={{ width: `${width}%` }} />
    </span>
  );
}

/** A percentage as number and bar; the bar alone is never the message. */
export function Meter({ value, title }: { value: number | null; title?: string }) {
  if (value === null) return <span className="missing">{MISSING}</span>;
  return (
    <span className="meter" title={title}>
      <span className="meter-number">{percent(value)}</span>
      <Bar value={value} />
    </span>
  );
}

/** A part of a whole that is neither good nor bad. */
export function ShareBar({ part }: { part: number }) {
  return (
    <span className="bar" aria-hidden="true">
      <span className="bar-fill" style={{ width: `${part}%` }} />
    </span>
  );
}

/** A number in a table; what is not known is said more quietly. */
export function NumberCell({ text, title, wide = false }: { text: string; title?: string; wide?: boolean }) {
  return <td title={title} className={`number ${text === MISSING ? 'missing' : ''} ${wide ? 'wide-only' : ''}`}>{text}</td>;
}

export interface FigureProps {
  name: string;
  value: string;
  detail: string;
  tone?: 'good' | 'warm' | 'bad' | undefined;
}

/** One figure of a page, as a card. */
export function Figure({ name, value, detail, tone }: FigureProps) {
  return (
    <div className="card now-card">
      <h3>{name}</h3>
      <p className={tone ? `now-value ${tone}` : 'now-value'}>{value}</p>
      <p className="now-detail" title={detail}>
        {detail}
      </p>
    </div>
  );
}

export interface NoticeProps {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  tone?: 'plain' | 'bad';
}

export function Notice({ icon, title, children, tone = 'plain' }: NoticeProps) {
  return (
    <section className={`notice notice-${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      {icon && <span className="notice-icon">{icon}</span>}
      <h2>{title}</h2>
      {children}
    </section>
  );
}

export interface InlineFailureProps {
  what: string;
  failure: unknown;
  onRetry(): void;
}

/** A part of a page could not be had; the rest of it goes on. */
export function InlineFailure({ what, failure, onRetry }: InlineFailureProps) {
  return (
    <p className="inline-failure" role="alert">
      <WarningIcon />
      {what}: {failureSentence(failure)}
      <button type="button" className="button" onClick={onRetry}>
        Try now
      </button>
    </p>
  );
}

export function Skeleton({ className = '' }: { className?: string }) {
  return <span className={`skeleton ${className}`} aria-hidden="true" />;
}

/** For people who cannot see the grey boxes. */
export function LoadingWords({ children }: { children: string }) {
  return (
    <span className="visually-hidden" role="status">
      {children}
    </span>
  );
}
