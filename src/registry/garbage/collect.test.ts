import { readdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import type { ImageStore } from "../images/image-store.ts";
import {
  blobDataPath,
  layerLinkPath,
  revisionLinkPath,
  tagIndexLinkPath,
} from "../images/paths.ts";
import { call } from "../images/pushed-image.fake.ts";
import { age, openCollectedStore, pushBlob, pushManifest } from "./collected-store.fake.ts";

it("takes the blobs and links that no manifest names, and leaves the rest", async () => {
  const { store, storage, collect } = await openCollectedStore();
  const orphan = await pushBlob(store, "a/b", "orphan");
  const image = await pushManifest(store, "a/b", { tag: "v1", layers: ["config", "shared"] });

  const { totals } = await collect();

  expect(totals).toMatchObject({ marked: 1, blobs: 1, layerLinks: 1, manifests: 0, bytes: 6 });
  expect(await storage.stat(blobDataPath(orphan), call)).toBeUndefined();
  expect(await storage.stat(layerLinkPath("a/b", orphan), call)).toBeUndefined();
  await expectWhole(store, "a/b", image, ["config", "shared"]);
});

it("frees what a deleted manifest was made of, but not what another one shares", async () => {
  const { store, collect } = await openCollectedStore();
  const gone = await pushManifest(store, "a", { tag: "v1", layers: ["own", "shared"] });
  const other = await pushManifest(store, "b", { tag: "v1", layers: ["shared"] });
  await store.manifests.delete("a", gone, call);

  const { totals } = await collect();

  expect(totals).toMatchObject({ blobs: 2, layerLinks: 2 }); // its bytes, and its own layer
  await expectWhole(store, "b", other, ["shared"]);
  expect(await store.blobs.find("a", digestOf("shared"), call)).toBeUndefined();
});

it("keeps untagged manifests unless told otherwise", async () => {
  const { store, collect } = await openCollectedStore();
  const image = await pushManifest(store, "a", {});

  await collect();
  await expectWhole(store, "a", image, ["layer"]);

  const { totals, events } = await collect({ deleteUntagged: true });
  expect(totals).toMatchObject({ manifests: 1, blobs: 2, layerLinks: 1 });
  expect(await store.manifests.has("a", image, call)).toBe(false);
  const item = { kind: "manifest", repository: "a", digest: image };
  const reason = "it has no tag, subject or referrer";
  expect(events).toContainEqual({ is: "eligible", item: { ...item, reason } });
});

it("keeps the untagged parts of a tagged index, also of an index in it", async () => {
  const { store, collect } = await openCollectedStore();
  const parts = [
    await pushManifest(store, "a", { layers: ["amd64"] }),
    await pushManifest(store, "a", { layers: ["arm64"] }),
  ];
  const inner = await pushManifest(store, "a", { children: parts });
  await pushManifest(store, "a", { tag: "v1", children: [inner] });
  const other = await pushManifest(store, "a", { layers: ["s390x"] });

  const { totals } = await collect({ deleteUntagged: true });

  expect(totals.manifests).toBe(1);
  expect(await store.manifests.has("a", other, call)).toBe(false);
  await expectWhole(store, "a", parts[0], ["amd64"]);
  await expectWhole(store, "a", parts[1], ["arm64"]);
});

it("keeps both ends of a reference to a subject, and what has lost its subject goes", async () => {
  const { store, collect } = await openCollectedStore();
  const signed = await pushManifest(store, "a", { layers: ["image"] });
  const signature = await pushManifest(store, "a", { layers: ["signature"], subject: signed });
  const lone = await pushManifest(store, "a", { layers: ["lone"], subject: digestOf("nothing") });

  await collect({ deleteUntagged: true });

  await expectWhole(store, "a", signed, ["image"]);
  await expectWhole(store, "a", signature, ["signature"]);
  expect(await store.manifests.has("a", lone, call)).toBe(false);
});

it("keeps what was used within the grace period, and says so", async () => {
  const { store, collect } = await openCollectedStore();
  const orphan = await pushBlob(store, "a", "orphan");
  const image = await pushManifest(store, "a", {});

  const { totals, events } = await collect({ deleteUntagged: true, graceMs: 60_000 });

  expect(totals).toMatchObject({ manifests: 0, blobs: 0, layerLinks: 0 });
  const kept = events.flatMap((event) => (event.is === "kept" ? event.item.reason : []));
  expect(kept).toContainEqual(expect.stringMatching(/^no manifest .* but it was used \d+ s ago$/));
  expect(await store.blobs.find("a", orphan, call)).toBeDefined();
  await expectWhole(store, "a", image, ["layer"]);
});

it.each([
  ["a HEAD of the blob", (store: ImageStore) => store.blobs.find("a", digestOf("layer"), call)],
  [
    "a mount into another repository",
    (store: ImageStore) => store.blobs.mount("b", digestOf("layer"), { ...call, from: "a" }),
  ],
  ["a second push", (store: ImageStore) => pushBlob(store, "a", "layer")],
])("takes %s for a use", async (_name, use) => {
  const opened = await openCollectedStore();
  const { store, collect } = opened;
  await pushBlob(store, "a", "layer");
  await age(opened, layerLinkPath("a", digestOf("layer")), blobDataPath(digestOf("layer")));

  await use(store);
  const { totals } = await collect({ graceMs: 60_000 });

  expect(totals.blobs).toBe(0);
  expect(await store.blobs.find("a", digestOf("layer"), call)).toBeDefined();
});

it("lets the grace of a manifest begin when its tag moves on", async () => {
  const opened = await openCollectedStore();
  const { store, collect } = opened;
  const first = await pushManifest(store, "a", { tag: "latest", layers: ["first"] });
  await age(opened, revisionLinkPath("a", first), blobDataPath(digestOf("first")));
  await pushManifest(store, "a", { tag: "latest", layers: ["second"] });

  await collect({ deleteUntagged: true, graceMs: 60_000 });
  await expectWhole(store, "a", first, ["first"]);

  await collect({ deleteUntagged: true });
  expect(await store.manifests.has("a", first, call)).toBe(false);
});

it("leaves no trace of what a tag meant before", async () => {
  const { store, storage, collect } = await openCollectedStore();
  const first = await pushManifest(store, "a", { tag: "latest", layers: ["first"] });
  const second = await pushManifest(store, "a", { tag: "latest", layers: ["second"] });

  await collect({ deleteUntagged: true });

  expect(await storage.stat(tagIndexLinkPath("a", "latest", first), call)).toBeUndefined();
  expect(await storage.stat(tagIndexLinkPath("a", "latest", second), call)).toBeDefined();
});

it("keeps what was pushed before a layer that still comes", async () => {
  const opened = await openCollectedStore();
  const { store, directory, collect } = opened;
  const early = await pushBlob(store, "a", "early");
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  const beganMs = Date.now();
  const at = new Date(beganMs - 30_000);
  for (const path of [layerLinkPath("a", early), blobDataPath(early)]) {
    await utimes(join(directory, path), at, at);
  }

  const clock = new FakeClock(new Date(beganMs + 40_000));
  await store.uploads.append("a", id, { source: slow(), at: undefined }, call);
  const upload = join(directory, `/docker/registry/v2/repositories/a/_uploads/${id}/data`);
  await utimes(upload, new Date(beganMs + 39_000), new Date(beganMs + 39_000));
  await collect({ graceMs: 35_000, clock });

  expect(await store.blobs.find("a", early, call)).toBeDefined();
});

it("changes nothing in a dry run, and says the same as the run", async () => {
  const { store, directory, collect } = await openCollectedStore();
  await pushManifest(store, "a", { tag: "v1" });
  await pushManifest(store, "a", { layers: ["other"] });
  const before = await filesIn(directory);

  const dry = await collect({ deleteUntagged: true, dryRun: true });

  expect(await filesIn(directory)).toEqual(before);
  const wet = await collect({ deleteUntagged: true });
  expect(dry.totals).toEqual(wet.totals);
  expect(dry.totals).toMatchObject({ manifests: 1, blobs: 2, layerLinks: 1 });
});

it("is not stopped by what is broken, and reports it", async () => {
  const { store, directory, collect } = await openCollectedStore();
  const whole = await pushManifest(store, "a", { tag: "whole", layers: ["whole"] });
  const bare = await pushManifest(store, "a", { tag: "bare", layers: ["bare"] });
  const rotten = await pushManifest(store, "a", { tag: "rotten", layers: ["rotten"] });
  const empty = await pushManifest(store, "a", { tag: "empty", layers: ["empty"] });
  await writeFile(join(directory, revisionLinkPath("a", empty)), "");
  await rm(join(directory, blobDataPath(bare)));
  const named = digestOf("rotten");
  await writeFile(join(directory, blobDataPath(rotten)), `{"x": "${named}"`);

  const { totals, events } = await collect({ deleteUntagged: true });

  const problems = events.flatMap((event) => (event.is === "problem" ? event.digest : []));
  expect(problems.toSorted()).toEqual([bare, rotten, empty].toSorted());
  expect(totals.problems).toBe(3);
  await expectWhole(store, "a", whole, ["whole"]);
  expect(await store.blobs.find("a", named, call)).toBeDefined();
});

it("keeps the layers of a schema 1 manifest, which it cannot read", async () => {
  const { store, storage, collect } = await openCollectedStore();
  const layer = await pushBlob(store, "a", "layer");
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 1, fsLayers: [{ blobSum: layer }] }));
  const digest = digestOf(bytes);
  await storage.write(blobDataPath(digest), bytes, call);
  await storage.write(revisionLinkPath("a", digest), Buffer.from(digest), call);

  await collect();

  expect(await store.blobs.find("a", layer, call)).toBeDefined();
});

it("keeps the data that a link of Distribution names under another digest", async () => {
  const { store, storage, collect } = await openCollectedStore();
  const layer = await pushBlob(store, "a", "layer");
  const long = digestOf("layer", "sha512");
  await storage.delete(layerLinkPath("a", layer), call);
  await storage.write(layerLinkPath("a", long), Buffer.from(layer), call);
  const descriptor = { mediaType: "a/b", digest: long, size: 5 };
  const manifest = { schemaVersion: 2, config: descriptor, layers: [] };
  const put = { bytes: Buffer.from(JSON.stringify(manifest)), mediaType: undefined };
  await store.manifests.write("a", { ...put, expected: undefined, tags: ["v1"] }, call);

  await collect();

  expect(await store.blobs.find("a", long, call)).toBeDefined();
});

it("says that another collection is at work", async () => {
  const { store, storage, collect } = await openCollectedStore();
  await pushBlob(store, "a", "orphan");
  let second: Promise<unknown> = Promise.resolve();

  await collect({
    report(event) {
      if (event.is === "repository") second = collect().catch((error: unknown) => error);
    },
  });

  expect(await second).toMatchObject({ code: "BUSY" });
  expect(await storage.stat("/dewy/garbage/lock", call)).toBeUndefined();
});

async function expectWhole(
  store: ImageStore,
  repository: string,
  digest: Digest | undefined,
  layers: string[],
): Promise<void> {
  if (digest === undefined) throw new Error("no digest");
  expect(await store.manifests.read(repository, digest, call)).toBeDefined();
  for (const layer of layers) {
    expect(await store.blobs.find(repository, digestOf(layer), call), layer).toBeDefined();
  }
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

async function* slow(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("the first part of a large layer");
}
