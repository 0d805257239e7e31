import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { blobDataPath, layerLinkPath, revisionLinkPath, tagLinkPath } from "../images/paths.ts";
import { call } from "../images/pushed-image.fake.ts";
import { trashOn } from "../images/trash.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";
import {
  type CollectedStore,
  openCollectedStore,
  pushBlob,
  pushManifest,
} from "./collected-store.fake.ts";
import { removeTag } from "./tag-removal.ts";

it("deletes at once what it has no room to keep, and leaves no trace of it", async () => {
  const opened = await openCollectedStore();
  const { store, storage, directory } = opened;
  const kept = await pushManifest(store, "a", { tag: "v1", layers: ["kept"] });
  const gone = await pushManifest(store, "a", { layers: ["gone"] });

  const { totals, events } = await opened.collect({ deleteUntagged: true }, full(storage));

  expect(totals).toMatchObject({ manifests: 1, layerLinks: 1, blobs: 2, problems: 0 });
  expect(events).toContainEqual({ is: "short of room" });
  for (const digest of [gone, digestOf("gone")]) {
    expect(existsSync(join(directory, blobDataPath(digest), ".."))).toBe(false);
  }
  expect(readdirSync(join(directory, "docker"), { recursive: true }).join()).not.toContain(".1");
  expect(await trashOn(storage).runs(call)).toEqual([]);
  await expectServed(opened, kept, "kept");
});

it("empties the trash of earlier collections, and its own, once there is no more room", async () => {
  const opened = await openCollectedStore();
  const { store, storage } = opened;
  await pushBlob(store, "a", "first");
  await opened.collect();
  expect(await trashOn(storage).runs(call)).toHaveLength(1);
  await pushBlob(store, "a", "second");
  await pushBlob(store, "a", "third");

  await opened.collect({}, full(storage, { after: 1 }));

  expect(await trashOn(storage).runs(call)).toEqual([]);
});

it.each(["before", "after"] as const)(
  "loses no blob of a manifest that is pushed just %s it is put beside",
  async (moment) => {
    for (const of of ["layer link", "blob"] as const) {
      const opened = await openCollectedStore();
      const { store } = opened;
      const layer = await pushBlob(store, "a", "layer");
      const path = of === "blob" ? blobDataPath(layer) : layerLinkPath("a", layer);
      let pushed: Digest | undefined;

      await collectWith(opened, { moment, path }, async () => {
        pushed = await pushManifest(store, "a", { tag: "v1", layers: ["layer"] });
      });

      await expectServed(opened, pushed, "layer");
    }
  },
);

it.each(["before", "after"] as const)(
  "keeps a blob that is mounted just %s, or says that it is gone",
  async (moment) => {
    const opened = await openCollectedStore();
    const { store } = opened;
    const layer = await pushBlob(store, "a", "layer");
    let isMounted: boolean | undefined;

    await collectWith(opened, { moment, path: blobDataPath(layer) }, async () => {
      isMounted = await store.blobs.mount("b", layer, { ...call, from: undefined });
    });

    expect((await store.blobs.find("b", layer, call)) !== undefined).toBe(isMounted);
  },
);

it("is killed after it put something beside: who relies on it has it, and the rest goes later", async () => {
  const opened = await openCollectedStore();
  const { store, storage } = opened;
  const used = await pushBlob(store, "a", "used");
  const unused = await pushBlob(store, "a", "unused");
  for (const digest of [used, unused]) await kill(opened, blobDataPath(digest));
  expect(await storage.stat(blobDataPath(unused), call)).toBeUndefined();

  const pushed = await pushManifest(store, "a", { tag: "v1", layers: ["used"] });
  await opened.collect();

  await expectServed(opened, pushed, "used");
  const names: string[] = [];
  for await (const name of storage.list(directoryOf(blobDataPath(unused)), call)) names.push(name);
  expect(names).toEqual([]);
});

it("removes a tag for good, with what it meant before", async () => {
  const { store, storage, directory } = await openCollectedStore();
  const digest = await pushManifest(store, "a", { tag: "v1" });
  const path = tagLinkPath("a", "v1");
  const pushedMs = (await storage.stat(path, call))?.modified.getTime() ?? 0;
  const run = { begunMs: pushedMs + 1, cutoffMs: pushedMs + 1 };
  const tag = { tag: "v1", digest, pushedMs, pulledMs: undefined };
  const disk = full(storage);

  expect(await removeTag("a", tag, { storage: disk, trash: trashOn(disk), run }, call)).toBe(true);

  expect(readdirSync(join(directory, path, "../../.."))).toEqual([]);
  expect(await store.manifests.read("a", digest, call)).toBeDefined();
});

/** A disk with no room for a directory, except for the first few. */
function full(storage: StorageDriver, { after = 0 } = {}): StorageDriver {
  let left = after;
  return {
    ...storage,
    async setAside(from, to, call) {
      if (to.startsWith("/dewy/trash") && left-- <= 0) throw new StorageError("NO_SPACE", "full");
      return storage.setAside(from, to, call);
    },
  };
}

/** Collects, and does `work` at one moment around the renaming of `path`. */
async function collectWith(
  { storage, collect }: CollectedStore,
  { moment, path }: { moment: "before" | "after"; path: StoragePath },
  work: () => Promise<void>,
): Promise<void> {
  let isDone = false;
  const disk = full(storage);
  const intercepted: StorageDriver = {
    ...disk,
    async setAside(from, to, call) {
      if (from !== path || isDone || to.startsWith("/dewy")) return disk.setAside(from, to, call);
      isDone = true;
      if (moment === "before") await work();
      const result = await disk.setAside(from, to, call);
      if (moment === "after") await work();
      return result;
    },
  };
  await collect({}, intercepted);
  expect(isDone).toBe(true);
}

async function kill({ storage, collect }: CollectedStore, path: StoragePath): Promise<void> {
  const disk = full(storage);
  const killed: StorageDriver = {
    ...disk,
    async setAside(from, to, call) {
      const result = await disk.setAside(from, to, call);
      if (from === path) throw new Error("killed");
      return result;
    },
  };
  await expect(collect({}, killed)).rejects.toThrow("killed");
}

async function expectServed(
  { store, storage }: CollectedStore,
  digest: Digest | undefined,
  layer: string,
) {
  if (digest === undefined) throw new Error("nothing was pushed");
  expect(await storage.stat(revisionLinkPath("a", digest), call)).toBeDefined();
  expect(await store.manifests.read("a", digest, call)).toBeDefined();
  expect(await storage.stat(blobDataPath(digestOf(layer)), call)).toBeDefined();
  expect(await store.blobs.find("a", digestOf(layer), call)).toBeDefined();
}

function directoryOf(path: StoragePath): StoragePath {
  return path.slice(0, path.lastIndexOf("/")) as StoragePath;
}
