import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { TagHistory } from "../images/tag-history.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { collectGarbage } from "./collect.ts";
import { GarbageError } from "./garbage-error.ts";
import type { GarbageEvent } from "./garbage-event.ts";
import type { GarbageCollectOptions, UploadPurgingOptions } from "./options.ts";
import { notePullsSince } from "./pull-times.ts";
import { purgeUploads } from "./purge-uploads.ts";
import type { RetentionOptions } from "./retention-options.ts";
import { noteOfRetention, retainOnSchedule } from "./scheduled-retention.ts";

export interface MaintenanceOptions {
  uploadpurging: UploadPurgingOptions;
  garbagecollect: GarbageCollectOptions;
  retention: RetentionOptions;
}

export interface MaintenanceParts {
  storage: StorageDriver;
  history: TagHistory;
  clock: Clock;
  logger: Logger;
}

export interface Maintenance {
  /** Interrupts what is going on; it goes on with the next start. */
  close(): Promise<void>;
}

/** Replicas that were started together should not all begin together. */
const longestJitterMs = 3_600_000;

/**
 * Purges uploads and collects garbage, each in its own rhythm, for as long as the registry serves.
 * Before each collection the tags go that no rule keeps.
 */
export function startMaintenance(
  { uploadpurging, garbagecollect, retention }: MaintenanceOptions,
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
    uploadpurging.enabled &&
      repeat("uploads could not be purged", uploadpurging.interval, () =>
        purge(uploadpurging, parts, call),
      ),
    garbagecollect.enabled &&
      repeat("garbage could not be collected", garbagecollect.interval, async () => {
        await retainOnSchedule(retention, { dryRun: garbagecollect.dryrun }, parts, call);
        await collect(garbagecollect, parts, call);
      }),
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
    work: () => Promise<void>,
  ): Promise<void> {
    for (let isFirst = true; !stop.signal.aborted; isFirst = false) {
      const jitterMs = Math.random() * Math.min(intervalMs, longestJitterMs);
      try {
        await clock.sleep(isFirst ? jitterMs : intervalMs, call);
        await work();
      } catch (error) {
        if (isEchoOf(stop.signal, error)) return;
        logger.error(failure, { error });
      }
    }
  }
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

async function collect(
  options: GarbageCollectOptions,
  { storage, clock, logger }: MaintenanceParts,
  call: Call,
): Promise<void> {
  const { grace: graceMs, trash: trashMs, deleteuntagged: deleteUntagged } = options;
  const { dryrun: dryRun } = options;
  const report = (event: GarbageEvent) => log(event, logger, dryRun);
  try {
    const settings = { graceMs, trashMs, deleteUntagged, dryRun, clock, report };
    const totals = await collectGarbage(storage, settings, call);
    logger.info("garbage collection ended", { ...totals, dryRun });
  } catch (error) {
    if (!(error instanceof GarbageError) || error.code !== "BUSY") throw error;
    logger.info("garbage collection left out: another one is at work", { reason: error.message });
  }
}

function log(event: GarbageEvent, logger: Logger, dryRun: boolean): void {
  switch (event.is) {
    case "begun":
      logger.info("garbage collection begun", { continued: event.continued, begun: event.begun });
      break;
    case "eligible":
      logger.info(dryRun ? "garbage would be collected" : "garbage collected", { ...event.item });
      break;
    case "restored":
      logger.warn("brought back from the trash, as it is in use", { path: event.path });
      break;
    case "problem":
      logger.warn("a manifest is damaged", { ...event });
      break;
    default:
      logger.debug("garbage collection", { ...event });
  }
}
