// The colour theme: the system's, or the one chosen here and kept in the browser's storage.
// public/theme.js applies a stored choice before the first paint; this follows it afterwards.
import { Store, type Readable } from './store';

export type Theme = 'dark' | 'light';

const KEY = 'muster.theme';
const systemPrefersDark = window.matchMedia('(prefers-color-scheme: dark)');

function current(): Theme {
  const chosen = document.documentElement.dataset['theme'];
  if (chosen === 'dark' || chosen === 'light') return chosen;
  return systemPrefersDark.matches ? 'dark' : 'light';
}

const store = new Store<Theme>(current());
systemPrefersDark.addEventListener('change', () => store.set(current()));

export const theme: Readable<Theme> = store;

export function chooseTheme(chosen: Theme): void {
  document.documentElement.dataset['theme'] = chosen;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // Storage may be forbidden; the choice then lasts until the page is left.
  }
  store.set(chosen);
}
