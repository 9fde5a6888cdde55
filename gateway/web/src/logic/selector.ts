// Which hosts a selector means, while it is typed: `role=web|db, env!=test, region, !canary, id=web-*`.
// The gateway and the workers decide; this only says how many hosts that would be now.
import type { Host } from '../io/contract';

type Wanted = Pick<Host, 'id' | 'labels'>;
type Term = (host: Wanted) => boolean;

const TERM = /^(!?)\s*([^\s=!|*]+)\s*(?:(!?=)\s*(.*))?$/u;

function holds(key: string, values: readonly string[] | null): Term {
  if (key === 'id') return ({ id }) => (values ?? []).some((value) => (value.endsWith('*') ? id.startsWith(value.slice(0, -1)) : id === value));
  return ({ labels }) => {
    const label = labels[key];
    return label !== undefined && (values === null || values.includes(label));
  };
}

function readTerm(text: string): Term | null {
  const found = TERM.exec(text.trim());
  if (!found) return null;
  const [, not = '', key = '', sign, value] = found;
  const values = sign === undefined ? null : (value ?? '').split('|').map((one) => one.trim());
  if (values?.some((one) => one === '') || (not !== '' && sign !== undefined)) return null;
  const term = holds(key, values);
  return not !== '' || sign === '!=' ? (host) => !term(host) : term;
}

/** Null where it cannot be read. */
export function readSelector(text: string): Term | null {
  if (text.trim() === '') return () => true;
  const terms = text.split(',').map(readTerm);
  const readable = terms.filter((term) => term !== null);
  return readable.length === terms.length ? (host) => readable.every((term) => term(host)) : null;
}

/** What a selector means now. One that means nobody is allowed, and seldom what was wanted. */
export interface Selected {
  words: string;
  isNobody: boolean;
}

export function selectedNow(text: string, hosts: readonly Wanted[]): Selected {
  const selector = readSelector(text);
  if (selector === null) return { words: 'This cannot be read yet.', isNobody: false };
  const number = hosts.filter(selector).length;
  const all = number === 1 ? 'the only host' : `all ${number} hosts`;
  const isNobody = number === 0 && hosts.length > 0;
  return { words: `Selects ${number === hosts.length && number > 0 ? all : `${number} of ${hosts.length} hosts`} now.`, isNobody };
}
