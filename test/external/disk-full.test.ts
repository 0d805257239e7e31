import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { tarOf } from "../../src/agent/deploy/archives/tar.fake.ts";
import { FakeArtifactSource } from "../../src/agent/deploy/artifact-source.fake.ts";
import { openArtifactStore } from "../../src/agent/deploy/artifact-store.ts";
import { fetchArtifact } from "../../src/agent/deploy/fetch.ts";
import { archiveLimits, unpack } from "../../src/agent/deploy/unpack.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { describeWith } from "../component.ts";

const body = randomBytes(3 * 1024 ** 2);

describe.skipIf(process.getuid?.() !== 0)("as root", () => {
  describeWith("mount", "umount")("a disk of one megabyte", () => {
    let disk: string;
    beforeEach(async () => {
      disk = await mkdtemp(join(tmpdir(), "dewy-disk-"));
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
    });
    afterEach(async () => {
      execFileSync("umount", [disk]);
      await rm(disk, { recursive: true });
    });

    it("has no room for an artifact, and keeps nothing of it", async ({ signal }) => {
      const store = await openArtifactStore(join(disk, "artifacts"), silentLogger);
      const artifact = {
        name: "app.tar",
        platform: undefined,
        sizeBytes: body.length,
        digest: digestOf(body),
        identity: "one",
        url: "fake://source/app.tar",
      };
      const registry = new FakeArtifactSource({ body });
      const options = { registry, artifact, store, clock: systemClock, logger: silentLogger };

      const result = fetchArtifact(options, { signal });

      await expect(result).rejects.toMatchObject({
        code: "DISK_FULL",
        message: `no space left for app.tar in ${store.directory}`,
      });
      expect(registry.opened).toEqual([0]);
      expect(await readdir(join(store.directory, "partial"))).toEqual([]);
    });

    it("has no room for what is in an archive, and keeps nothing of it", async ({ signal }) => {
      const archives = await mkdtemp(join(tmpdir(), "dewy-archive-"));
      onTestFinished(() => rm(archives, { recursive: true }));
      const archive = join(archives, "app.tar");
      await writeFile(archive, tarOf({ name: "small", body: "x" }, { name: "large", body }));

      const result = unpack(archive, "app.tar", join(disk, "release"), archiveLimits, { signal });

      await expect(result).rejects.toMatchObject({
        code: "DISK_FULL",
        message: `app.tar: no space left to unpack it in ${disk}`,
      });
      expect(await readdir(disk)).toEqual([]);
    });
  });
});
