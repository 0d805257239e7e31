import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { systemCodeOf } from "../../src/base/errors.ts";
import { describeWith } from "../component.ts";

/** Describes what is so on a disk of 16 MiB of each test's own. */
export function describeOnSmallDisk(what: string, tests: (disk: () => string) => void): void {
  describe.skipIf(process.getuid?.() !== 0)("as root", () => {
    describeWith("mount", "umount")(what, () => {
      let disk = "";
      beforeEach(async () => {
        disk = await mkdtemp(join(tmpdir(), "dewy-disk-"));
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", disk]);
      });
      afterEach(async () => {
        execFileSync("umount", ["--lazy", disk]); // the registry, which ends later, holds it
        await rm(disk, { recursive: true });
      });
      tests(() => disk);
    });
  });
}

/** Takes all the room there is; resolves to what gives it back. */
export async function fill(disk: string): Promise<() => Promise<void>> {
  const file = join(disk, "filler");
  const stream = createWriteStream(file);
  stream.write(Buffer.alloc(32 * 1024 ** 2));
  const [error] = await once(stream, "error");
  expect(systemCodeOf(error)).toBe("ENOSPC");
  expect(await readdir(disk)).toContain("filler");
  return () => rm(file);
}

/**
 * Lets nothing more be made on the disk, no directory either; what is there can be renamed.
 * Resolves to what allows it again.
 */
export async function fillWithNames(disk: string): Promise<() => void> {
  const { files, ffree } = await statfs(disk);
  const limit = (count: number) =>
    execFileSync("mount", ["-o", `remount,nr_inodes=${count}`, disk]);
  limit(files - ffree);
  await expect(mkdir(join(disk, "one-too-many"))).rejects.toThrow("ENOSPC");
  return () => limit(files);
}
