import type { Call } from "../../base/call.ts";
import { type Clock, isWithin } from "../../base/clock.ts";
import type { StaleDraftOptions } from "../storage/index.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import { noteTime, readNotedTime } from "./noted-time.ts";

/** As `discardStaleDrafts`, on one storage. */
export type DraftPurger = (options: StaleDraftOptions, call: Call) => Promise<number>;

export interface PurgeDraftsParts {
  storage: StorageDriver;
  drafts: DraftPurger;
  clock: Clock;
}

/** Clocks of hosts that share a directory may differ, and a disk may be slow. */
const leastAgeMs = 3_600_000;
/** It looks into every directory. */
const leastIntervalMs = 86_400_000;
const recordPath: StoragePath = "/dewy/drafts-purged";

/**
 * Deletes what pushes that were killed have left half written, once it is older than `ageMs`; looks
 * for it once in such a time, whichever registry does. Resolves to how many files that were or would
 * be; `undefined` when it is not time to.
 */
export async function purgeDrafts(
  { ageMs, dryRun }: { ageMs: number; dryRun: boolean },
  { storage, drafts, clock }: PurgeDraftsParts,
  call: Call,
): Promise<number | undefined> {
  const last = await readNotedTime(storage, recordPath, call);
  const limitMs = Math.max(ageMs, leastIntervalMs);
  if (last && isWithin({ limitMs, sinceMs: last.getTime() }, clock)) return undefined;
  const now = clock.now();
  const beforeMs = now.getTime() - Math.max(ageMs, leastAgeMs);
  const found = await drafts({ beforeMs, dryRun }, call);
  if (!dryRun) await noteTime(storage, recordPath, now, call);
  return found;
}
