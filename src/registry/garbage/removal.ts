import type { Call } from "../../base/call.ts";
import type { Trash, TrashRun } from "../images/trash.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";

/** A file that nothing names. */
export interface Unnamed {
  path: StoragePath;
  /** Whose use is its use as well. */
  alsoUsedBy?: StoragePath;
  /** When it was last used after this, it stays. The run's own cutoff, unless there is an earlier. */
  cutoffMs: number;
}

export type Fate =
  | { is: "taken"; size: number }
  | { is: "kept"; usedMs: number }
  /** Somebody else was faster. */
  | { is: "gone" };

export interface RemovalParts {
  storage: StorageDriver;
  trash: Trash;
  run: TrashRun;
  dryRun: boolean;
}

/** Takes a file away, unless it was used lately. Why that is safe is said at `Leases`. */
export async function remove(
  { path, alsoUsedBy, cutoffMs }: Unnamed,
  { storage, trash, run, dryRun }: RemovalParts,
  call: Call,
): Promise<Fate> {
  const file = await storage.stat(path, call);
  if (file === undefined) return { is: "gone" };
  const usedMs = Math.max(file.modified.getTime(), await lastUseOf(alsoUsedBy));
  if (usedMs >= cutoffMs) return { is: "kept", usedMs };
  if (dryRun) return { is: "taken", size: file.size };
  if (!(await trash.put(path, run, call))) return { is: "gone" };
  if (await trash.review(path, run, call)) return { is: "kept", usedMs: run.begunMs };
  if ((await lastUseOf(alsoUsedBy)) < run.cutoffMs) return { is: "taken", size: file.size };
  await trash.restore(path, call);
  return { is: "kept", usedMs: run.begunMs };

  async function lastUseOf(other: StoragePath | undefined): Promise<number> {
    const used = other && (await storage.stat(other, call));
    return used?.modified.getTime() ?? 0;
  }
}
