import type { Call } from "../../base/call.ts";
import type { StorageChoice } from "../storage/index.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { CollectOptions } from "./collect.ts";
import type { GarbageTotals } from "./garbage-event.ts";

/** As `collectGarbage`, on one storage. */
export type Collector = (options: CollectOptions, call: Call) => Promise<GarbageTotals>;

/**
 * For a process that serves meanwhile: on a thread of its own where another thread can open the same
 * storage, so that no request waits for it.
 */
export function collectorFor(choice: StorageChoice, storage: StorageDriver): Collector {
  return async (options, call) => {
    const { collectOnThread, threadProgram } = await import("./collection-on-thread.ts");
    if (choice.driver !== "inmemory" && threadProgram !== undefined) {
      return await collectOnThread(choice, options, call);
    }
    const { collectGarbage } = await import("./collect.ts");
    return await collectGarbage(storage, options, call);
  };
}
