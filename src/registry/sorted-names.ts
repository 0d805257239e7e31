import type { NamesPage } from "./storage-driver.ts";

/** Sorts one page out of names that come in no order, keeping only the smallest ones in memory. */
export async function smallestOf(
  source: AsyncIterable<string>,
  page: NamesPage,
): Promise<string[]> {
  let kept: string[] = [];
  for await (const name of source) {
    if (page.after !== undefined && name <= page.after) continue;
    kept.push(name);
    if (kept.length >= 2 * page.count + 1000) kept = sortedPage(kept, page);
  }
  return sortedPage(kept, page);
}

export function sortedPage(names: readonly string[], { after, count }: NamesPage): string[] {
  const later = names.filter((name) => after === undefined || name > after);
  return later.sort(byBytes).slice(0, count);
}

function byBytes(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
