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

const keptPerRound = 2_000;

/**
 * Sorts one page out of names that come in no order, keeping only the smallest ones in memory.
 *
 * `list` is asked again when `isThere` refused so many that the page is not full.
 */
export async function pageOf(
  list: () => AsyncIterable<string>,
  isThere: (name: string) => Promise<boolean>,
  { limit, last }: PageRequest,
): Promise<Page> {
  const names: string[] = [];
  if (limit === 0) return { names, more: false };
  for (let after = last; ; ) {
    const candidates = await smallest(list(), after, Math.min(limit + 1, keptPerRound));
    for (const name of candidates) {
      if (!(await isThere(name))) continue;
      if (names.length === limit) return { names, more: true };
      names.push(name);
    }
    after = candidates.at(-1);
    if (after === undefined) return { names, more: false };
  }
}

async function smallest(
  source: AsyncIterable<string>,
  after: string | undefined,
  count: number,
): Promise<string[]> {
  let kept: string[] = [];
  for await (const name of source) {
    if (after !== undefined && name <= after) continue;
    kept.push(name);
    if (kept.length >= 2 * count + 1000) kept = kept.sort(byBytes).slice(0, count);
  }
  return kept.sort(byBytes).slice(0, count);
}

function byBytes(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
