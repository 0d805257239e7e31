import type { Call } from "../../base/call.ts";
import { revisionLinkPath, tagIndexPath, tagLinkPath } from "../images/paths.ts";
import type { Trash, TrashRun } from "../images/trash.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { KnownTag } from "./retention.ts";

export interface TagRemovalParts {
  storage: StorageDriver;
  trash: Trash;
  run: TrashRun;
}

/**
 * Takes a tag away, unless it was pushed since it was decided about; `false` then, and when it is
 * gone already. No lock is needed for that, as whoever pushes may be another process: the link is
 * renamed, and looked at once more when nobody else can reach it.
 */
export async function removeTag(
  repository: string,
  { tag, digest, pushedMs }: KnownTag,
  { storage, trash, run }: TagRemovalParts,
  call: Call,
): Promise<boolean> {
  const path = tagLinkPath(repository, tag);
  const before = await storage.stat(path, call);
  if (before?.modified.getTime() !== pushedMs) return false;
  // Its grace begins now: somebody may be pulling it.
  await storage.touch([revisionLinkPath(repository, digest)], call);
  if (!(await trash.put(path, run, call))) return false;
  const taken = await trash.stat(path, run, call);
  if (taken?.modified.getTime() !== pushedMs) {
    if ((await storage.stat(path, call)) === undefined) await trash.restore(path, call);
    return false;
  }
  if (trash.room.isShort) await trash.forget(path, call);
  if ((await storage.stat(path, call)) === undefined) {
    await trash.dispose(tagIndexPath(repository, tag), run, call);
  }
  return true;
}
