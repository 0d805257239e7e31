import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { isReleaseFault } from "../fault.ts";
import { pinRelease } from "../ledger/holds.ts";
import type { DeployedRelease } from "../ledger/ledger.ts";
import { zipOf } from "./archives/zip.fake.ts";
import { openHost } from "./deployed-host.fake.ts";
import { reserveOf } from "./disk-room.ts";
import { occupiedBytes } from "./disk-usage.ts";
import { expansionOf } from "./expansion.ts";

describe("a host with a budget", () => {
  it("keeps its releases and artifacts within it, and of the old ones those that it needs", async ({
    signal,
  }) => {
    const host = await openHost();
    for (const tag of ["v1.0.0", "v1.0.1", "v1.0.2", "v1.0.3"]) await host.deploy(tag, { signal });
    const pin = { tag: "v1.0.0", by: "alice", at: new Date().toISOString() };
    await host.ledger.update((state) => pinRelease(state, pin));
    const budgetBytes = await taken(host.root);

    host.disk = { budgetBytes };
    for (const tag of ["v1.0.4", "v1.0.5", "v1.0.6"]) await host.deploy(tag, { signal });

    expect(await taken(host.root)).toBeLessThanOrEqual(budgetBytes);
    const tags = host.state().releases.map(({ tag }) => tag);
    expect(tags).toEqual(expect.arrayContaining(["v1.0.6", "v1.0.5", "v1.0.0"]));
    expect(tags.length).toBeLessThan(5);
    expect(await host.releases.list()).toHaveLength(tags.length);
  });

  it("refuses what does not fit into it, names the sizes, and holds nothing against the release", async ({
    signal,
  }) => {
    const host = await openHost();
    await host.deploy("v1.0.0", { signal });

    host.disk = { budgetBytes: 10 };
    const error = await host.deploy("v1.1.0", { signal }).catch((failure) => failure);

    expect(error).toMatchObject({
      code: "OVER_BUDGET",
      message: expect.stringMatching(
        /^app\.tar\.gz needs 0\.0 MiB, and [\d.]+ MiB of the disk-budget of 0\.0 MiB are taken$/,
      ),
    });
    expect(isReleaseFault(error)).toBe(false);
    expect(await host.serves()).toBe("v1.0.0");
  });
});

it("fetches nothing that would leave less free than is asked for", async ({ signal }) => {
  const host = await openHost();
  host.disk = { reserveBytes: 2 ** 50 };

  const error = await host.deploy("v1.0.0", { signal }).catch((failure) => failure);
  host.disk = { reserveBytes: 0 };
  await host.deploy("v1.0.0", { signal });

  expect(error).toMatchObject({ code: "NO_ROOM" });
  expect(await host.serves()).toBe("v1.0.0");
});

it("reserves less of a small disk", () => {
  expect([reserveOf(1e9), reserveOf(1e12)]).toEqual([5e7, 256 * 1024 ** 2]);
});

it("reckons with what an archive says, else with what the releases before it took, else with three times", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-expansion-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "stored");
  const body = Buffer.alloc(50_000);
  await writeFile(path, zipOf({ name: "app", body, deflate: true }));
  const before = { artifact: "a.tar.gz", artifactBytes: 100, unpackedBytes: 700 };
  const state = { version: 1 as const, releases: [before as DeployedRelease] };
  const of = (name: string, sizeBytes: number, file?: string) =>
    expansionOf({ name, sizeBytes, ...(file && { path: file }) }, state);

  expect(await of("b.zip", 200, path)).toBe(50_000);
  expect(await of("b.tar.gz", 200)).toBe(1_400);
  expect(await of("b.tar.gz", 2_000)).toBe(6_000);
  expect(await of("b.tar.zst", 200)).toBe(600);
  expect(await of("b.tar", 200)).toBe(200);
});

async function taken(root: string): Promise<number> {
  const names = await readdir(join(root, "releases"));
  const places = [...names.map((name) => join("releases", name)), ".dewy/artifacts"];
  const each = await Promise.all(places.map((place) => occupiedBytes(join(root, place))));
  return each.reduce((sum, bytes) => sum + bytes, 0);
}
