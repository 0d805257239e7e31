import type { Call } from "../../base/call.ts";
import { uploadDataPath, uploadStartPath, uploadsPath } from "../images/paths.ts";
import type { StorageDriver } from "../storage-driver.ts";

export interface UploadTimes {
  id: string;
  /** In milliseconds since 1970; `undefined` when its beginning was not written whole. */
  begunMs: number | undefined;
  /** When it last got a byte, or began. */
  usedMs: number;
}

/** The uploads that a repository is receiving, or was when their clients went away. */
export async function* uploadTimes(
  storage: StorageDriver,
  repository: string,
  call: Call,
): AsyncGenerator<UploadTimes> {
  for await (const id of storage.list(uploadsPath(repository), call)) {
    const files = await Promise.all([
      storage.stat(uploadStartPath(repository, id), call),
      storage.stat(uploadDataPath(repository, id), call),
    ]);
    const times = files.flatMap((file) => file?.modified.getTime() ?? []);
    if (times.length === 0) {
      const directory = await storage.stat(`${uploadsPath(repository)}/${id}`, call);
      if (directory === undefined) continue;
      times.push(directory.modified.getTime());
    }
    yield { id, begunMs: files[0]?.modified.getTime(), usedMs: Math.max(...times) };
  }
}

/**
 * The cutoff for blobs that no manifest names yet: a large layer may take longer to push than the
 * grace period, and those that were pushed before it wait for the same manifest.
 */
export async function cutoffWhilePushing(
  storage: StorageDriver,
  repository: string,
  { cutoffMs, graceMs }: { cutoffMs: number; graceMs: number },
  call: Call,
): Promise<number> {
  let earliestMs = cutoffMs;
  for await (const { begunMs, usedMs } of uploadTimes(storage, repository, call)) {
    if (usedMs < cutoffMs || begunMs === undefined) continue;
    earliestMs = Math.min(earliestMs, begunMs - graceMs);
  }
  return earliestMs;
}
