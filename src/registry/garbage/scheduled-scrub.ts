import type { Call } from "../../base/call.ts";
import { type Clock, isWithin } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { ScrubOptions } from "./options.ts";
import { isBusy } from "./runs.ts";
import { readScrubRecord } from "./scrub-record.ts";
import type { Scrubs } from "./scrubs.ts";

export interface ScheduledScrubParts {
  storage: StorageDriver;
  scrubs: Pick<Scrubs, "run">;
  clock: Clock;
  logger: Logger;
}

/**
 * To be asked again and again: scrubs when the last scrub of any registry is so long ago as `interval`
 * says, as a start of the registry is no reason to read all again. One that failed counts, too: it
 * may have read for hours.
 */
export function scrubOnSchedule(
  { interval: intervalMs, setaside: setAside }: ScrubOptions,
  { storage, scrubs, clock, logger }: ScheduledScrubParts,
): (call: Call) => Promise<void> {
  let triedAt: Date | undefined;

  return async (call) => {
    if (isRecent(triedAt) || isRecent(await readScrubRecord(storage, call))) return;
    const now = clock.now();
    try {
      await scrubs.run({ setAside });
      triedAt = now;
    } catch (error) {
      if (!isBusy(error)) throw error;
      logger.info("scrub left out: another one is at work");
    }
  };

  function isRecent(at: Date | undefined): boolean {
    return at !== undefined && isWithin({ limitMs: intervalMs, sinceMs: at.getTime() }, clock);
  }
}
