import type { NamesPage } from "../storage-driver.ts";

/** A part of a long listing: at most `limit` names that come after `last`. */
export interface PageRequest {
  limit: number;
  last: string | undefined;
}

export interface Page {
  names: string[];
  /** Whether there are names after these. */
  more: boolean;
  /** As in `StoredManifest`. */
  warning?: string;
}

const mostPerRound = 20_000;

/**
 * One page of names, of which `areThere` says which are to be shown.
 *
 * `next` is asked again when so many are not that the page is not full.
 */
export async function pageOf(
  next: (page: NamesPage) => Promise<string[]>,
  areThere: (names: readonly string[]) => Promise<readonly boolean[]>,
  { limit, last }: PageRequest,
): Promise<Page> {
  const names: string[] = [];
  if (limit === 0) return { names, more: false };
  const count = Math.min(limit + 1, mostPerRound);
  for (let after = last; ; ) {
    const candidates = await next({ after, count });
    const there = await areThere(candidates);
    for (const [index, name] of candidates.entries()) {
      if (!there[index]) continue;
      if (names.length === limit) return { names, more: true };
      names.push(name);
    }
    if (candidates.length < count) return { names, more: false };
    after = candidates.at(-1);
  }
}
