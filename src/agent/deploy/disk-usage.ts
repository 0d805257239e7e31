import { lstat, opendir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { systemCodeOf } from "../../base/errors.ts";

/** A file system as whoever is not root finds it. */
export interface Volume {
  freeBytes: number;
  totalBytes: number;
}

/** `undefined` where the file system does not tell, as some of a network do. */
export async function volumeOf(path: string): Promise<Volume | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(path, { bigint: true });
    if (blocks <= 0n) return undefined;
    return { freeBytes: Number(bavail * bsize), totalBytes: Number(blocks * bsize) };
  } catch {
    return undefined;
  }
}

/** What `path` and everything in it take on the disk: a file with two names once, and no link's target. */
export async function occupiedBytes(path: string): Promise<number> {
  const seen = new Set<string>();
  return await below(path);

  async function below(each: string): Promise<number> {
    try {
      const stats = await lstat(each);
      if (stats.nlink > 1 && !stats.isDirectory()) {
        const identity = `${stats.dev}:${stats.ino}`;
        if (seen.has(identity)) return 0;
        seen.add(identity);
      }
      let total = stats.blocks * 512;
      if (!stats.isDirectory()) return total;
      for await (const { name } of await opendir(each)) total += await below(join(each, name));
      return total;
    } catch (error) {
      // Somebody else may tidy up meanwhile; a directory that lets nobody in costs what it says.
      if (["ENOENT", "EACCES", "ENOTDIR"].includes(systemCodeOf(error) ?? "")) return 0;
      throw error;
    }
  }
}
