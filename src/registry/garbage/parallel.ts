import type { Call } from "../../base/call.ts";

/** Works on what `source` gives, at most `limit` at once; the first failure ends it. */
export async function inParallel<Item>(
  source: AsyncIterable<Item>,
  { limit, signal }: Call & { limit: number },
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for await (const item of source) {
    const task = work(item)
      .catch((error: unknown) => {
        failures.push(error);
      })
      .finally(() => running.delete(task));
    running.add(task);
    if (running.size >= limit) await Promise.race(running);
    if (failures.length > 0 || signal.aborted) break;
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  signal.throwIfAborted();
}
