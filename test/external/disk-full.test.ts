import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { tarOf } from "../../src/agent/deploy/archives/tar.fake.ts";
import { FakeArtifactSource } from "../../src/agent/deploy/artifact-source.fake.ts";
import { openArtifactStore } from "../../src/agent/deploy/artifact-store.ts";
import { confirmRoomToFetch } from "../../src/agent/deploy/disk-room.ts";
import { fetchArtifact } from "../../src/agent/deploy/fetch.ts";
import { openReleases } from "../../src/agent/deploy/releases.ts";
import { archiveLimits, unpack } from "../../src/agent/deploy/unpack.ts";
import { type DeployedRelease, openLedger } from "../../src/agent/ledger/ledger.ts";
import { writeFileWhole } from "../../src/base/atomic-file.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { describeWith } from "../component.ts";

const body = randomBytes(3 * 1024 ** 2);
const artifact = {
  name: "app.tar.gz",
  platform: undefined,
  sizeBytes: body.length,
  digest: digestOf(body),
  identity: "one",
  url: "fake://source/app.tar.gz",
};

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
      const registry = new FakeArtifactSource({ body });
      const options = { registry, artifact, store, clock: systemClock, logger: silentLogger };

      const result = fetchArtifact(options, { signal });

      await expect(result).rejects.toMatchObject({
        code: "DISK_FULL",
        message: `no space left for app.tar.gz in ${store.directory}`,
      });
      expect(registry.opened).toEqual([0]);
      expect(await readdir(join(store.directory, "partial"))).toEqual([]);
    });

    it("is not even asked to hold what it has no room for, and gives up old releases first", async () => {
      const parts = await appOn(disk);
      const [old, good, active] = await Promise.all(
        ["v1", "v2", "v3"].map((tag, place) => released(tag, place, disk)),
      );
      await parts.ledger.update((state) => ({
        ...{ ...state, active, lastGood: good },
        releases: [active, good, old].flatMap((each) => each ?? []),
      }));

      await confirmRoomToFetch({ ...artifact, sizeBytes: 180_000 }, parts);
      const left = await parts.releases.list();
      const tooLarge = confirmRoomToFetch({ ...artifact, sizeBytes: 200_000 }, parts);

      await expect(tooLarge).rejects.toMatchObject({
        code: "NO_ROOM",
        message: expect.stringMatching(
          /^app\.tar\.gz needs 0\.8 MiB in \S+ \(0\.2 MiB to fetch, about 0\.6 MiB unpacked, 0\.1 MiB to stay free\), and 0\.\d MiB are free$/,
        ),
      });
      expect(left).toEqual([active?.directory, good?.directory]);
      expect(parts.ledger.state.releases.map(({ tag }) => tag)).toEqual(["v3", "v2"]);
    });

    it("is named by who cannot write a file there", async () => {
      const path = join(disk, "large");

      await expect(writeFileWhole(path, body)).rejects.toMatchObject({
        code: "ENOSPC",
        message: expect.stringContaining(`'${path}'`),
      });
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

async function appOn(disk: string) {
  const [clock, logger] = [systemClock, silentLogger];
  return {
    ...{ clock, logger },
    releases: await openReleases(disk, clock),
    store: await openArtifactStore(join(disk, ".dewy/cache"), logger),
    ledger: await openLedger(join(disk, ".dewy/ledger.json"), { clock, logger }),
  };
}

/** A tenth of a megabyte each. */
async function released(tag: string, place: number, disk: string): Promise<DeployedRelease> {
  const directory = join(disk, `releases/2026010${place}T000000Z`);
  await mkdir(directory);
  await writeFile(join(directory, "app"), body.subarray(0, 100_000));
  const since = "2026-01-01T00:00:00.000Z";
  return { tag, identity: tag, digest: digestOf(tag), artifact: "app.tar.gz", directory, since };
}
