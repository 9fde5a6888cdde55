// The tail takes a search apart as the gateway does: the cases are those of logic/search.rs.
import { describe, expect, it } from 'vitest';
import { fieldTerm, finds, hasField, readSearch } from './log-search';

describe('a search', () => {
  it.each([
    ['', [], []],
    ['  timed  out ', ['timed', 'out'], []],
    ['"timed out" db-1', ['timed out', 'db-1'], []],
    ['error -retry -"no route"', ['error'], ['retry', 'no route']],
    ['- a-b "--force" --force', ['-', 'a-b', '--force'], ['-force']],
    ['key="x y" ""', ['key="x', 'y"'], []],
    [String.raw`"a \"b\" c:\\d \e"`, [String.raw`a "b" c:\d \e`], []],
    ['100% a*b', ['100%', 'a*b'], []],
    ['-', ['-'], []],
  ])('takes %s apart', (text, wanted, unwanted) => {
    expect(readSearch(text)).toEqual({ wanted, unwanted });
  });

  it('waits for a quote to be closed', () => {
    expect(readSearch('a "b c')).toBeNull();
    expect(readSearch('-"')).toBeNull();
    expect(finds(null, 'anything')).toBe(true);
  });

  it('finds lines with all words and none of the others, whatever the case', () => {
    expect(finds(readSearch('OUT timed'), 'it timed out')).toBe(true);
    expect(finds(readSearch('"out timed"'), 'it timed out')).toBe(false);
    expect(finds(readSearch('timed -OUT'), 'it timed out')).toBe(false);
  });

  it('knows a field by its name and its whole value', () => {
    expect(hasField({ url: 'http://a' }, fieldTerm('url', 'http://a'))).toBe(true);
    expect(hasField({ url: 'http://a' }, 'url:http')).toBe(false);
    expect(hasField({}, 'url')).toBe(false);
  });
});
