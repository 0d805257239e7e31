import { type Call, isEchoOf } from "../../base/call.ts";
import type { Collections } from "./collections.ts";
import { GarbageError } from "./garbage-error.ts";
import type { GarbageCollectOptions, ScrubOptions, UploadPurgingOptions } from "./options.ts";
import { notePullsSince } from "./pull-times.ts";
import { type DraftPurger, purgeDrafts } from "./purge-drafts.ts";
import { purgeUploads } from "./purge-uploads.ts";
import type { RetentionOptions } from "./retention-options.ts";
import { keepReserve } from "./run-lock.ts";
import {
  noteOfRetention,
  retainOnSchedule,
  type ScheduledRetentionParts,
} from "./scheduled-retention.ts";
import { type ScheduledScrubParts, scrubOnSchedule } from "./scheduled-scrub.ts";
import { readScrubRecord } from "./scrub-record.ts";

export interface MaintenanceOptions {
  uploadpurging: UploadPurgingOptions;
  garbagecollect: GarbageCollectOptions;
  retention: RetentionOptions;
  scrub: ScrubOptions;
}

export interface MaintenanceParts extends ScheduledRetentionParts, ScheduledScrubParts {
  collections: Pick<Collections, "run">;
  drafts: DraftPurger;
  /** Told when all blobs were last read, by a process before this one. */
  scrubbed(at: Date): void;
}

export interface Maintenance {
  /** Begins nothing any more. Resolves when what is going on has ended, see `Collections.close`. */
  close(): Promise<void>;
}

const scrubFailure = "the blobs could not be scrubbed";

/** Replicas that were started together should not all begin together. */
const longestJitterMs = 3_600_000;

/**
 * Purges uploads and drafts, collects garbage and scrubs, each in its own rhythm, for as long as the registry
 * serves. Before each collection the tags go that no rule keeps.
 */
export function startMaintenance(
  { uploadpurging, garbagecollect, retention, scrub }: MaintenanceOptions,
  parts: MaintenanceParts,
): Maintenance {
  const { storage, clock, logger } = parts;
  const stop = new AbortController();
  const call = { signal: stop.signal };
  const note = noteOfRetention(retention, garbagecollect);
  if (note !== undefined) logger.warn(note);
  const loops = [
    notePullsSince(storage, call).catch((error: unknown) => {
      logger.warn("it cannot be noted since when pulls are known", { error });
    }),
    keepReserve(storage, call).catch((error: unknown) => {
      logger.warn("no room can be kept for a collection on a full disk", { error });
    }),
    tellScrubbed(parts, call).catch((error: unknown) => {
      logger.warn("it cannot be read when the last scrub was", { error });
    }),
    uploadpurging.enabled &&
      repeat("uploads could not be purged", uploadpurging.interval, () =>
        purge(uploadpurging, parts, call),
      ),
    uploadpurging.enabled &&
      repeat("drafts could not be purged", uploadpurging.interval, () =>
        purgeLeftDrafts(uploadpurging, parts, call),
      ),
    garbagecollect.enabled &&
      repeat("garbage could not be collected", garbagecollect.interval, async () => {
        await retainOnSchedule(retention, { dryRun: garbagecollect.dryrun }, parts, call);
        await collect(parts);
      }),
    scrub.enabled && repeat(scrubFailure, lookEvery(scrub), scrubOnSchedule(scrub, parts)),
  ];
  return {
    async close() {
      stop.abort(new Error("the registry is closing"));
      await Promise.all(loops);
    },
  };

  async function repeat(
    failure: string,
    intervalMs: number,
    work: (call: Call) => Promise<void>,
  ): Promise<void> {
    for (let isFirst = true; !stop.signal.aborted; isFirst = false) {
      const jitterMs = Math.random() * Math.min(intervalMs, longestJitterMs);
      try {
        await clock.sleep(isFirst ? jitterMs : intervalMs, call);
        await work(call);
      } catch (error) {
        if (isEchoOf(stop.signal, error)) return;
        logger.error(failure, { error });
      }
    }
  }
}

/** Whether it is time to: another process may have done it meanwhile. */
function lookEvery({ interval }: ScrubOptions): number {
  return Math.min(interval, longestJitterMs);
}

async function tellScrubbed({ storage, scrubbed }: MaintenanceParts, call: Call): Promise<void> {
  const at = await readScrubRecord(storage, call);
  if (at !== undefined) scrubbed(at);
}

async function purge(
  { age: ageMs, dryrun: dryRun }: UploadPurgingOptions,
  { storage, clock, logger }: MaintenanceParts,
  call: Call,
): Promise<void> {
  const said = dryRun ? "upload would be purged" : "upload purged";
  const tell = (upload: object) => logger.info(said, { ...upload });
  const uploads = await purgeUploads(storage, { ageMs, dryRun, clock, tell }, call);
  logger.info("upload purging ended", { uploads, dryRun });
}

async function purgeLeftDrafts(
  { age: ageMs, dryrun: dryRun }: UploadPurgingOptions,
  parts: MaintenanceParts,
  call: Call,
): Promise<void> {
  const drafts = await purgeDrafts({ ageMs, dryRun }, parts, call);
  if (drafts !== undefined) parts.logger.info("purging of drafts ended", { drafts, dryRun });
}

async function collect({ collections, logger }: MaintenanceParts): Promise<void> {
  try {
    await collections.run();
  } catch (error) {
    if (!(error instanceof GarbageError) || error.code !== "BUSY") throw error;
    logger.info("garbage collection left out: another one is at work", { reason: error.message });
  }
}
