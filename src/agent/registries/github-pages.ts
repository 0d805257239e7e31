import type { Call } from "../../base/call.ts";

export interface Page<Item> {
  items: readonly Item[];
  entityTag: string | undefined;
  next: URL | undefined;
}

/** `undefined` when the page is still the one with this entity tag. */
export type FetchPage<Item> = (
  url: URL,
  entityTag: string | undefined,
  call: Call,
) => Promise<Page<Item> | undefined>;

type KnownPage<Item> = Page<Item> & { url: URL };

const maximumPages = 100;

/**
 * A list in pages, of which an idle look costs two requests that say "not modified", however long it is:
 * one for the first page, and one for another page in turn. For not every change moves the first page:
 * a release of an older commit is listed among its equals, and old ones are edited and deleted.
 */
export function openPages<Item>(first: URL, fetchPage: FetchPage<Item>) {
  let pages: readonly KnownPage<Item>[] = [];
  let turn = 0;

  return {
    async current(call: Call): Promise<Item[]> {
      const fresh = new Map<string, KnownPage<Item>>();
      const isUnchanged = pages.length > 0 && (await looksUnchanged(fresh, call));
      if (!isUnchanged) pages = await walk(fresh, call);
      return pages.flatMap(({ items }) => items);
    },
  };

  async function looksUnchanged(fresh: Map<string, KnownPage<Item>>, call: Call) {
    if ((await pageAt(first, fresh, call)) !== pages[0]) return false;
    turn = (turn % Math.max(1, pages.length - 1)) + 1;
    const other = pages[turn];
    return other === undefined || (await pageAt(other.url, fresh, call)) === other;
  }

  async function walk(fresh: Map<string, KnownPage<Item>>, call: Call): Promise<KnownPage<Item>[]> {
    const found: KnownPage<Item>[] = [];
    for (let url: URL | undefined = first; url && found.length < maximumPages; ) {
      const page: KnownPage<Item> = await pageAt(url, fresh, call);
      found.push(page);
      url = page.next;
    }
    return found;
  }

  /** `fresh` holds what was asked for in this look already. */
  async function pageAt(url: URL, fresh: Map<string, KnownPage<Item>>, call: Call) {
    const asked = fresh.get(url.href);
    if (asked) return asked;
    const known = pages.find((page) => page.url.href === url.href);
    const answer = await fetchPage(url, known?.entityTag, call);
    const page = answer ? { ...answer, url } : known;
    if (page === undefined) throw new Error(`not modified, and never asked for: ${url}`);
    fresh.set(url.href, page);
    return page;
  }
}
