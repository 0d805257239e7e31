import { setTimeout } from "node:timers/promises";
import type { Call } from "../../base/call.ts";
import { besidePushes, discardDrafts, type StorageChoice } from "../storage/index.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { CollectOptions } from "./collect.ts";
import type { GarbageTotals } from "./garbage-event.ts";
import type { DraftPurger } from "./purge-drafts.ts";
import type { ScrubOptions, ScrubTotals } from "./scrub.ts";

/** As `collectGarbage`, on one storage. */
export type Collector = (options: CollectOptions, call: Call) => Promise<GarbageTotals>;

/** As `scrub`, on one storage. */
export type Scrubber = (options: ScrubOptions, call: Call) => Promise<ScrubTotals>;

/**
 * For a process that serves meanwhile: on a thread of its own where another thread can open the same
 * storage, so that no request waits for it.
 */
export function collectorFor(choice: StorageChoice, storage: StorageDriver): Collector {
  return async (options, call) => {
    const { workOnThread, threadProgram } = await import("./work-on-thread.ts");
    if (choice.driver !== "inmemory" && threadProgram !== undefined) {
      const { report, clock: _, ...settings } = options;
      const access = settings.dryRun ? "read" : "write";
      return await workOnThread({ name: "collect", choice, access, settings }, report, call);
    }
    const { collectGarbage } = await import("./collect.ts");
    return await collectGarbage(storage, options, call);
  };
}

/** As `collectorFor`: to hash all that is stored takes a processor. */
export function scrubberFor(choice: StorageChoice, storage: StorageDriver): Scrubber {
  return async (options, call) => {
    const { workOnThread, threadProgram } = await import("./work-on-thread.ts");
    if (choice.driver !== "inmemory" && threadProgram !== undefined) {
      const { report, ...settings } = options;
      const access = settings.setAside ? "write" : "read";
      return await workOnThread({ name: "scrub", choice, access, settings }, report, call);
    }
    const { scrub } = await import("./scrub.ts");
    return await scrub(storage, options, call);
  };
}

/** As `collectorFor`: there are as many directories to look into as there are blobs and tags. */
export function draftPurgerFor(choice: StorageChoice): DraftPurger {
  return async (options, call) => {
    const { workOnThread, threadProgram } = await import("./work-on-thread.ts");
    if (choice.driver !== "inmemory" && threadProgram !== undefined) {
      const work = { name: "drafts", choice, access: "write", settings: options } as const;
      return await workOnThread(work, () => {}, call);
    }
    const { sliceMs, breakMs } = besidePushes;
    const breaks = { sliceMs, pause: () => setTimeout(breakMs) };
    return await discardDrafts(choice, { ...options, breaks }, call);
  };
}
