// A long list that is read page by page: what is shown of it while its newest page moves on. The pages
// that were added lie below that first page as it was when they were asked for, because below a newer
// one there would be a hole. Leaves out fetching.

interface Added<P, T> {
  /** Of the first page, and of all below it. */
  items: readonly T[];
  last: P;
}

export interface Paging<P, T> {
  /** What the list is of. */
  key: string | null;
  /** Null while only the first page is shown. */
  added: Added<P, T> | null;
  /** The request for a further page that is under way; what any other brings is not wanted any more. */
  asking: object | null;
  /** Why the last further page could not be had. */
  failure: unknown;
}

export function onlyFirst<P, T>(key: string | null): Paging<P, T> {
  return { key, added: null, asking: null, failure: null };
}

export function asked<P, T>(paging: Paging<P, T>, request: object): Paging<P, T> {
  return { ...paging, asking: request, failure: null };
}

/** `above` is what was shown when the page was asked for: the page goes on where that ends. */
export function answered<P, T>(paging: Paging<P, T>, request: object, above: readonly T[], answer: P, items: readonly T[]): Paging<P, T> {
  if (paging.asking !== request) return paging;
  return { key: paging.key, added: { items: [...above, ...items], last: answer }, asking: null, failure: null };
}

export function failed<P, T>(paging: Paging<P, T>, request: object, failure: unknown): Paging<P, T> {
  return paging.asking === request ? { ...paging, asking: null, failure } : paging;
}

/** The first page, whatever it is now, is shown only as long as nothing was added to it. */
export function shown<P, T>({ added }: Paging<P, T>, first: readonly T[]): readonly T[] {
  return added ? added.items : first;
}

/** What is asked for again: what failed, and the first page where nothing did. */
export function toRetry(ofFirst: unknown, ofFurther: unknown): { first: boolean; further: boolean } {
  return { first: ofFirst !== null || ofFurther === null, further: ofFurther !== null };
}
