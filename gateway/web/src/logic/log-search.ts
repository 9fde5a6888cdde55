// What somebody types to find log lines, taken apart as the gateway does it (logic/search.rs), so
// that the live tail shows what a search would find.

export interface Search {
  wanted: readonly string[];
  unwanted: readonly string[];
}

/** A dash, then a phrase in quotes or a word; or a quote that is not closed. */
const TERM = /(-(?=\S))?(?:"((?:\\["\\]|[^"])*)"|("|[^\s"]\S*))/gu;

/** Null while a quote is open. */
export function readSearch(text: string): Search | null {
  const wanted: string[] = [];
  const unwanted: string[] = [];
  for (const [, dash, phrase, word] of text.matchAll(TERM)) {
    if (word?.startsWith('"')) return null;
    const term = phrase === undefined ? (word ?? '') : phrase.replace(/\\(["\\])/gu, '$1');
    if (term !== '') (dash === undefined ? wanted : unwanted).push(term);
  }
  return { wanted, unwanted };
}

/** Whether a message has all that is wanted; everything passes while a quote is open. */
export function finds(search: Search | null, message: string): boolean {
  if (search === null) return true;
  const text = message.toLowerCase();
  const has = (term: string) => text.includes(term.toLowerCase());
  return search.wanted.every(has) && !search.unwanted.some(has);
}

/** As `name:value` is asked for in the address. */
export function fieldTerm(name: string, value: string): string {
  return `${name}:${value}`;
}

export function hasField(fields: Readonly<Record<string, string>>, term: string): boolean {
  const colon = term.indexOf(':');
  return colon > 0 && fields[term.slice(0, colon)] === term.slice(colon + 1);
}
