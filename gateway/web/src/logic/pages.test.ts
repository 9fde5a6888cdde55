// Which links somebody has, and which of them is the current one.
import { expect, it } from 'vitest';
import { currentOf, pagesFor } from './pages';

const words = (role: string) => pagesFor(role).map((page) => page.words);
const current = (path: string) => pagesFor('admin').flatMap((page) => (currentOf(page, path) ? [`${page.words} ${currentOf(page, path)}`] : []));

it('leaves the settings to those who may change them', () => {
  expect(words('viewer')).toEqual(['Fleet', 'Alerts', 'Logs', 'Pipeline', 'Completeness', 'Storage']);
  expect(words('operator')).toContain('Settings');
});

it.each([
  ['/', ['Fleet page']],
  ['/hosts/web-3/logs', ['Fleet true']],
  ['/logs', ['Logs page']],
  ['/pipeline', ['Pipeline page']],
  ['/pipeline/dead-letters', ['Pipeline true']],
  ['/nowhere', []],
])('%s belongs to %j', (path, expected) => {
  expect(current(path)).toEqual(expected);
});
