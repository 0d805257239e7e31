import { readFile, stat, statfs } from "node:fs/promises";

const ext = 0xef53;
/** XFS, Btrfs, F2FS, ZFS, and tmpfs, which keeps nothing at all. */
const keeping: readonly number[] = [0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994];

/**
 * Whether what leads to a file is as lasting as the file itself, once that is synced. Where a journal
 * has the directories first it is, and ext4 sees to it without one; of any other file system (ext2,
 * FAT, an overlay) nobody knows.
 */
export async function keepsWhatLeadsTo(directory: string): Promise<boolean> {
  try {
    const [{ type }, { dev }] = await Promise.all([statfs(directory), stat(directory)]);
    if (type !== ext) return keeping.includes(type >>> 0);
    return !isExt2(await readFile("/proc/self/mountinfo", "utf8"), dev);
  } catch {
    return false;
  }
}

/** It has the same number as ext4. Exported for its test. */
export function isExt2(mounts: string, device: number): boolean {
  const major = ((device >>> 8) & 0xfff).toString();
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  const mount = mounts.split("\n").find((line) => line.split(" ")[2] === `${major}:${minor}`);
  return mount === undefined || / - ext2 /.test(mount);
}
