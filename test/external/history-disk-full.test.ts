import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { append, journalPaths } from "../../src/agent/history/journal.ts";
import { describeWith } from "../component.ts";

const line = JSON.stringify({ text: "x".repeat(3000) });

describe.skipIf(process.getuid?.() !== 0)("as root", () => {
  describeWith("mount", "umount")("a history on a full disk", () => {
    let disk: string;
    beforeEach(async () => {
      disk = await mkdtemp(join(tmpdir(), "dewy-disk-"));
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
    });
    afterEach(async () => {
      execFileSync("umount", [disk]);
      await rm(disk, { recursive: true });
    });

    it("keeps whole lines only, and takes more once there is room", async () => {
      const [journal] = journalPaths(disk);
      await append(disk, [line]);
      await writeFile(join(disk, "filling"), Buffer.alloc(64 * 1024)).catch(() => {});

      let written = 1;
      const fill = async () => {
        for (;;) {
          await append(disk, [line]);
          written++;
        }
      };
      await expect(fill()).rejects.toThrow();
      expect(await linesIn(journal)).toEqual(Array(written).fill(line));

      await rm(join(disk, "filling"));
      await append(disk, [line]);
      expect(await linesIn(journal)).toEqual(Array(written + 1).fill(line));
    });
  });
});

async function linesIn(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).split("\n").slice(0, -1);
}
