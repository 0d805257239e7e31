import { rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { blobDataPath, revisionLinkPath, tagLinkPath } from "../images/paths.ts";
import { call } from "../images/pushed-image.fake.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { openCollectedStore, pushManifest } from "./collected-store.fake.ts";
import { linesOfEvent } from "./garbage-lines.ts";

it.each([
  ["its bytes are missing", blobDataPath, rm],
  ["its bytes were cut", blobDataPath, (path: string) => truncate(path, 10)],
  [
    "its link is empty",
    (digest: Digest) => revisionLinkPath("a", digest),
    (path: string) => truncate(path),
  ],
] as const)(
  "takes nothing of a repository with a manifest of which %s, until it is deleted",
  async (...[, pathOf, damage]) => {
    const { store, directory, collect } = await openCollectedStore();
    const broken = await pushManifest(store, "a", { tag: "v1", layers: ["needed"] });
    await pushManifest(store, "a", { layers: ["untagged"] });
    await pushManifest(store, "b", { layers: ["of another"] });
    await damage(join(directory, pathOf(broken)));

    const first = await collect({ deleteUntagged: true });

    expect(first.totals).toMatchObject({ problems: 1, layerLinks: 1 });
    expect(await store.blobs.find("a", digestOf("needed"), call)).toBeDefined();
    expect(await store.blobs.find("b", digestOf("of another"), call)).toBeUndefined();

    expect(await store.manifests.delete("a", broken, call)).toBe(true);
    const second = await collect({ deleteUntagged: true });
    expect(second.totals.problems).toBe(0);
    expect(await store.blobs.find("a", digestOf("needed"), call)).toBeUndefined();
  },
);

it("takes no tag for damaged whose link comes into its place while it is looked at", async () => {
  const { store, storage, collect } = await openCollectedStore();
  const before = await pushManifest(store, "a", { tag: "v1", layers: ["before"] });
  const digest = await pushManifest(store, "a", { tag: "v1", layers: ["now"] });
  let reads = 0;
  const pushing: StorageDriver = {
    ...storage,
    readWhole: async (path, readCall) =>
      path === tagLinkPath("a", "v1") && reads++ === 0
        ? undefined
        : await storage.readWhole(path, readCall),
  };

  const { totals } = await collect({ deleteUntagged: true }, pushing);

  expect(totals).toMatchObject({ manifests: 1, problems: 0 });
  expect(await store.manifests.has("a", before, call)).toBe(false);
  expect(await store.manifests.has("a", digest, call)).toBe(true);
  expect(reads).toBeGreaterThan(1);
});

it("keeps what a tag has meant whose link is damaged, and says which", async () => {
  const { store, directory, collect } = await openCollectedStore();
  const digest = await pushManifest(store, "a", { tag: "v1", layers: ["needed"] });
  await pushManifest(store, "a", { layers: ["untagged"] });
  await writeFile(join(directory, tagLinkPath("a", "v1")), "");

  const { totals, events } = await collect({ deleteUntagged: true });

  expect(totals).toMatchObject({ manifests: 1, problems: 1 });
  expect(await store.manifests.has("a", digest, call)).toBe(true);
  expect(await store.blobs.find("a", digestOf("needed"), call)).toBeDefined();
  const lines = events.flatMap((event) => linesOfEvent(event, { dryRun: false }));
  expect(lines).toContain(
    "a: tag v1 is damaged: its link names no manifest; what it has meant stays until it is pushed again or deleted",
  );

  expect(await store.tags.delete("a", "v1", call)).toBe(true);
  const later = await collect({ deleteUntagged: true });
  expect(later.totals).toMatchObject({ manifests: 1, problems: 0 });
});
