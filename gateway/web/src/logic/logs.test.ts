// The filter asks what the gateway asks, and a paused tail loses nothing it can hold.
import { describe, expect, it } from 'vitest';
import { headline, logFilterFrom, logQueryOf, NO_LOG_FILTER, passes, paused, TAIL_MAX, TAIL_START, withDropped, withLines } from './logs';
import { line } from './testing';

describe('the filter', () => {
  it('lets through what is this bad or worse', () => {
    const filter = { ...NO_LOG_FILTER, severity: 'error' } as const;
    const severities = ['critical', 'failure', 'error', 'warn', 'info'] as const;
    expect(severities.filter((severity) => passes(filter, line('x', { severity })))).toEqual(['critical', 'failure', 'error']);
  });

  it('finds a part of the message whatever the case, and one application', () => {
    expect(passes({ ...NO_LOG_FILTER, text: 'TIMED' }, line('it timed out'))).toBe(true);
    expect(passes({ ...NO_LOG_FILTER, application: 'nginx' }, line('it timed out'))).toBe(false);
  });

  it('survives the way through the address', () => {
    const filter = { severity: 'warn', application: 'a b', text: '100%', fields: ['a:b', 'c:d:e'], when: '7d' } as const;
    expect(logFilterFrom(logQueryOf(filter))).toEqual(filter);
    expect(logFilterFrom(new URLSearchParams('severity=awful'))).toEqual(NO_LOG_FILTER);
  });
});

const messages = (lines: readonly { message: string }[]) => lines.map((one) => one.message);

describe('the tail', () => {
  it('shows the newest first and forgets the oldest', () => {
    const tail = withLines(withLines(TAIL_START, [line('a'), line('b')]), [line('c')]);
    expect(messages(tail.lines)).toEqual(['c', 'b', 'a']);
    expect(new Set(tail.lines.map(({ id }) => id)).size).toBe(3);
    const many = Array.from({ length: TAIL_MAX + 5 }, (_, n) => line(String(n)));
    expect(withLines(tail, many).lines).toHaveLength(TAIL_MAX);
  });

  it('holds back what comes while it is paused', () => {
    const still = withLines(paused(withLines(TAIL_START, [line('a')]), true), [line('b')]);
    expect([messages(still.lines), messages(still.held)]).toEqual([['a'], ['b']]);
    expect(messages(paused(still, false).lines)).toEqual(['b', 'a']);
  });

  it('adds up what was left out', () => {
    expect(withDropped(withDropped(TAIL_START, 5), 7).dropped).toBe(12);
  });
});

it('folds a stack trace behind its first line', () => {
  expect(headline(line('it broke\n\tat a.b'))).toEqual({ text: 'it broke', more: true });
  expect(headline(line('it broke'))).toEqual({ text: 'it broke', more: false });
});
