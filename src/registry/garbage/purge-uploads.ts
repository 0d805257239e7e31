import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { catalogOn } from "../images/catalog.ts";
import { uploadPath } from "../images/paths.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { uploadTimes } from "./upload-times.ts";

export interface PurgeOptions {
  /** Uploads that got no byte for so long are given up. */
  ageMs: number;
  dryRun: boolean;
  clock: Clock;
  tell(upload: { repository: string; id: string; idleMs: number }): void;
}

/** Deletes the uploads whose clients went away; resolves to how many that were, or would be. */
export async function purgeUploads(
  storage: StorageDriver,
  { ageMs, dryRun, clock, tell }: PurgeOptions,
  call: Call,
): Promise<number> {
  const nowMs = clock.now().getTime();
  const { signal } = call;
  let purged = 0;
  for await (const repository of catalogOn(storage).walk(undefined, {
    signal,
    having: ["_uploads"],
  })) {
    for await (const { id, usedMs } of uploadTimes(storage, repository, call)) {
      signal.throwIfAborted();
      const idleMs = nowMs - usedMs;
      if (idleMs <= ageMs) continue;
      tell({ repository, id, idleMs });
      if (!dryRun) await storage.discard(uploadPath(repository, id), call);
      purged++;
    }
  }
  return purged;
}
