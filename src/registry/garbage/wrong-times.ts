import type { Call } from "../../base/call.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";

/** More than clocks of several machines differ, and than a collection may take that goes on. */
const mostAheadMs = 7 * 86_400_000;

/** There was no such registry before: a clock that shows less is what is wrong. */
const earliestMs = Date.UTC(2025, 0);

/** Whether a time is so far ahead that a clock told it that was wrong, and was set right since. */
export function isWrong(timeMs: number, nowMs: number): boolean {
  return nowMs >= earliestMs && timeMs - nowMs > mostAheadMs;
}

/**
 * Makes the present the time of last use of those whose time is wrong: nobody can say when they were
 * used, and they must neither go today nor stay until that time has come.
 */
export async function mendTimes(
  storage: StorageDriver,
  paths: readonly StoragePath[],
  { nowMs, signal }: Call & { nowMs: number },
): Promise<void> {
  for (const path of paths) {
    const file = await storage.stat(path, { signal });
    if (file && isWrong(file.modified.getTime(), nowMs)) await storage.touch([path], { signal });
  }
}
