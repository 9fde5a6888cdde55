// What the browser tells of critical alerts: each that is open by its title, many at once as one, and
// nothing of those that are silenced, late or over. What the page found when it was opened is not
// told; what was opened while it could not hear is. Leaves out fetching and showing.
import type { Alert } from '../io/contract-alerts';
import { alertsWords } from './alerts';

export interface Notice {
  /** One that has the same tag takes the other's place, so that two pages tell it once. */
  tag: string;
  title: string;
  body: string;
  /** Where a click leads. */
  path: string;
}

/** More at once would cover the screen; one cause on many hosts is the usual reason. */
const SINGLE_MAX = 3;

/** What needs no telling any more. */
export interface Heard {
  ids: ReadonlySet<number>;
  /** Those before it did not fit into an answer: they come up when newer ones end and are no news. */
  before: number;
}

/** Critical ones that are not resolved, newest first. */
export interface Criticals {
  items: readonly Alert[];
  /** There are more than fit into an answer. */
  isCut: boolean;
}

/** A silence may end and what came late may go on: then it is news. */
function isQuiet({ is_silenced, is_late }: Alert): boolean {
  return is_silenced || is_late;
}

/** What is news in an answer to somebody who has heard so much; null before the first answer. */
export function newsOf(heard: Heard | null, { items, isCut }: Criticals): { news: Alert[]; heard: Heard } {
  const isHeard = ({ id }: Alert) => heard === null || heard.ids.has(id) || id < heard.before;
  const news = items.filter((alert) => alert.status === 'open' && !isQuiet(alert) && !isHeard(alert));
  const ids = items.filter((alert) => !isQuiet(alert) || heard?.ids.has(alert.id)).map(({ id }) => id);
  const before = Math.max(heard?.before ?? 0, isCut ? Math.min(...items.map(({ id }) => id)) : 0);
  return { news, heard: { ids: new Set(ids), before } };
}

function single({ id, title }: Alert): Notice {
  return { tag: `muster-alert-${id}`, title: title === '' ? 'A critical alert' : title, body: 'A critical alert was opened.', path: `/alerts/${id}` };
}

export function noticesOf(news: readonly Alert[]): Notice[] {
  if (news.length <= SINGLE_MAX) return news.map(single);
  const [first] = news;
  return [{ tag: `muster-alerts-${first?.id ?? ''}`, title: `${alertsWords(news.length)} are critical`, body: news.slice(0, SINGLE_MAX).map(({ title }) => title).join('\n'), path: '/alerts?priority=critical' }];
}
