// Notifications of the browser itself, and whether somebody wants them here: asked for by a button,
// never by itself; the wish is kept in the browser's storage. Leaves out what is told.
import { Store, type Readable } from './store';

/** `unavailable`: the browser has none, or the page is not on https or localhost. */
export type NoticeState = 'unavailable' | 'denied' | 'off' | 'on';

const KEY = 'muster.notify';

function wanted(): boolean {
  try {
    return localStorage.getItem(KEY) === 'on';
  } catch {
    return false;
  }
}

function current(): NoticeState {
  if (!('Notification' in window) || !window.isSecureContext) return 'unavailable';
  if (Notification.permission === 'denied') return 'denied';
  return Notification.permission === 'granted' && wanted() ? 'on' : 'off';
}

const store = new Store<NoticeState>(current());

export const noticeState: Readable<NoticeState> = store;

export async function switchNotices(on: boolean): Promise<void> {
  if (on && 'Notification' in window && Notification.permission === 'default') await Notification.requestPermission();
  try {
    localStorage.setItem(KEY, on ? 'on' : 'off');
  } catch {
    // Storage may be forbidden: nothing is told then.
  }
  store.set(current());
}

export interface BrowserNotice {
  /** One that has the same tag is replaced, so that two tabs tell it once. */
  tag: string;
  title: string;
  body: string;
  onClick(): void;
}

export function showNotice({ tag, title, body, onClick }: BrowserNotice): void {
  if (current() !== 'on') return;
  try {
    const shown = new Notification(title, { tag, body, icon: '/favicon.svg' });
    shown.addEventListener('click', () => {
      window.focus();
      onClick();
      shown.close();
    });
  } catch {
    // Some phones allow them only from a service worker; the badge and the title still count.
  }
}
