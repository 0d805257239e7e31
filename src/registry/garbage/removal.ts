import type { Call } from "../../base/call.ts";
import type { Trash, TrashRun } from "../images/trash.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import type { ClockGuard } from "./clock-guard.ts";
import { isWrong, mendTimes } from "./wrong-times.ts";

/** A file that nothing names. */
export interface Unnamed {
  path: StoragePath;
  /** What is used whenever it is. */
  alsoUsedBy?: StoragePath;
  /** When it was last used after this, it stays. The run's own cutoff, unless there is an earlier. */
  cutoffMs: number;
}

export type Fate =
  /** `size` is that of the file looked at: for a link, of what it names. */
  | { is: "taken"; size: number }
  | { is: "kept"; usedMs: number }
  /** Somebody else was faster. */
  | { is: "gone" };

export interface RemovalParts {
  storage: StorageDriver;
  trash: Trash;
  run: TrashRun;
  dryRun: boolean;
  clock: ClockGuard;
}

/** Takes a file away, unless it was used lately. Why that is safe is said at `Leases`. */
export async function remove(
  { path, alsoUsedBy, cutoffMs }: Unnamed,
  parts: RemovalParts,
  call: Call,
): Promise<Fate> {
  const { storage, trash, run, dryRun } = parts;
  // The other one is used whenever this is, so that it is enough to look at that one first.
  const file =
    (alsoUsedBy && (await storage.stat(alsoUsedBy, call))) ?? (await storage.stat(path, call));
  if (file === undefined) return await gone();
  const usedMs = file.modified.getTime();
  if (usedMs >= cutoffMs && !isWrong(usedMs, run.begunMs)) return { is: "kept", usedMs };
  if (usedMs >= cutoffMs) return await kept();
  const taken = { is: "taken", size: file.size } as const;
  if (dryRun) return taken;
  parts.clock.check();
  if (!(await trash.put(path, run, call))) return await gone();
  try {
    parts.clock.check();
  } catch (error) {
    await trash.restore(path, call);
    throw error;
  }
  if (await trash.review(path, run, call)) return await kept();
  if (alsoUsedBy === undefined || (await lastUseOf(alsoUsedBy)) < run.cutoffMs) {
    if (trash.room.isShort) await trash.settle(path, call);
    return taken;
  }
  await trash.restore(path, call);
  return await kept();

  async function kept(): Promise<Fate> {
    const paths = alsoUsedBy === undefined ? [path] : [path, alsoUsedBy];
    if (!dryRun) await mendTimes(storage, paths, { ...call, nowMs: run.begunMs });
    return { is: "kept", usedMs: run.begunMs };
  }

  async function gone(): Promise<Fate> {
    if (!dryRun) await trash.settle(path, call);
    return { is: "gone" };
  }

  async function lastUseOf(other: StoragePath): Promise<number> {
    return (await storage.stat(other, call))?.modified.getTime() ?? 0;
  }
}
