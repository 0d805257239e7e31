import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { catalogOn } from "../images/catalog.ts";
import { uploadDataPath, uploadPath, uploadStartPath } from "../images/paths.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { uploadTimes } from "./upload-times.ts";
import { isWrong, mendTimes } from "./wrong-times.ts";

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
      if (!dryRun && isWrong(usedMs, nowMs)) await mend(repository, id);
      const idleMs = nowMs - usedMs;
      if (idleMs <= ageMs) continue;
      tell({ repository, id, idleMs });
      if (!dryRun) await storage.discard(uploadPath(repository, id), call);
      purged++;
    }
  }
  return purged;

  /** They are given up that long after today. */
  async function mend(repository: string, id: string): Promise<void> {
    const paths = [uploadPath, uploadDataPath, uploadStartPath].map((of) => of(repository, id));
    await mendTimes(storage, paths, { ...call, nowMs });
  }
}
