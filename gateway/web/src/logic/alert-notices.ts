// What the browser tells of new critical alerts: each by its title, many at once as one, and nothing
// of those that are silenced, late or over already.
import type { Alert, AlertNews } from '../io/contract-alerts';
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

function isQuiet({ status, is_silenced, is_late }: Alert): boolean {
  return status !== 'open' || is_silenced || is_late;
}

function single({ id, title }: AlertNews): Notice {
  return { tag: `muster-alert-${id ?? title}`, title: title === '' ? 'A critical alert' : title, body: 'A critical alert was opened.', path: id === null ? '/alerts' : `/alerts/${id}` };
}

/** `alerts` is what is known of what is not resolved, read after the news had come. */
export function noticesOf(news: readonly AlertNews[], alerts: readonly Alert[]): Notice[] {
  const known = new Map(alerts.map((alert) => [alert.id, alert]));
  const told = news.filter(({ id, priority }) => {
    const alert = id === null ? undefined : known.get(id);
    return priority === 'critical' && !(alert && isQuiet(alert));
  });
  if (told.length <= SINGLE_MAX) return told.map(single);
  const [first] = told;
  return [{ tag: `muster-alerts-${first?.id ?? ''}`, title: `${alertsWords(told.length)} are critical`, body: told.slice(0, SINGLE_MAX).map(({ title }) => title).join('\n'), path: '/alerts?priority=critical' }];
}
