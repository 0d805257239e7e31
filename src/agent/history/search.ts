import type { HistoryEntry } from "./entry.ts";

/** What somebody asks about; what is left out does not matter to them. */
export interface HistoryFilter {
  since?: Date | undefined;
  app?: string | undefined;
  tag?: string | undefined;
  /** Only what went wrong. */
  failed?: boolean | undefined;
}

export function matches(entry: HistoryEntry, { since, app, tag, failed }: HistoryFilter): boolean {
  if (since && new Date(entry.at) < since) return false;
  if (app !== undefined && entry.app !== app) return false;
  if (tag !== undefined && entry.tag !== tag) return false;
  return !failed || entry.event !== "deployed";
}

/** Joins `sources`, each with its newest last, into one that is so too. */
export async function* byTime<Item extends { at: string }>(
  sources: readonly AsyncIterable<Item>[],
): AsyncGenerator<Item> {
  const readers = sources.map((source) => source[Symbol.asyncIterator]());
  try {
    const heads = await Promise.all(readers.map((reader) => reader.next()));
    for (;;) {
      const place = oldestOf(heads);
      const head = heads[place];
      const reader = readers[place];
      if (!reader || !head || head.done) return;
      yield head.value;
      heads[place] = await reader.next();
    }
  } finally {
    await Promise.all(readers.map((reader) => reader.return?.()));
  }
}

function oldestOf<Item extends { at: string }>(heads: readonly IteratorResult<Item>[]): number {
  let oldest = -1;
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const [place, head] of heads.entries()) {
    const ms = head.done ? Number.POSITIVE_INFINITY : Date.parse(head.value.at);
    if (ms < oldestMs) [oldest, oldestMs] = [place, ms];
  }
  return oldest;
}
