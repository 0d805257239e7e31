import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { imageStoreOn } from "../images/image-store.ts";
import { blobDataPath, layerLinkPath, revisionLinkPath } from "../images/paths.ts";
import { call } from "../images/pushed-image.fake.ts";
import { trashOn } from "../images/trash.ts";
import { placingThrough } from "../storage-driver.fake.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import {
  type CollectedStore,
  openCollectedStore,
  pushBlob,
  pushManifest,
} from "./collected-store.fake.ts";

/** The moments around the renaming of one file. */
const moments = ["before", "after"] as const;

it.each(moments)("keeps a blob that is mounted just %s it is taken", async (moment) => {
  const opened = await openCollectedStore();
  const { store } = opened;
  const layer = await pushBlob(store, "a", "layer");

  await collectWith(opened, moment, blobDataPath(layer), async () => {
    expect(await store.blobs.mount("b", layer, { ...call, from: undefined })).toBe(
      moment === "before",
    );
  });

  expect((await store.blobs.find("b", layer, call)) !== undefined).toBe(moment === "before");
});

it.each(moments)(
  "loses no blob of a manifest that is pushed just %s it is taken",
  async (moment) => {
    const opened = await openCollectedStore();
    const { store } = opened;
    const layer = await pushBlob(store, "a", "layer");

    for (const path of [layerLinkPath("a", layer), blobDataPath(layer)]) {
      let pushed: Digest | undefined;
      await collectWith(opened, moment, path, async () => {
        pushed = await pushManifest(store, "a", { tag: randomTag(), layers: ["layer"] });
      });
      await expectServed(opened, pushed, ["layer"]);
      await store.manifests.delete("a", pushed ?? layer, call);
    }
  },
);

it.each(moments)("names nothing in vain when an index is pushed just %s", async (moment) => {
  for (const of of ["revision", "layer link", "blob"] as const) {
    const opened = await openCollectedStore();
    const { store } = opened;
    const child = await pushManifest(store, "a", { layers: ["layer"] });
    const layer = digestOf("layer");
    const path = {
      revision: revisionLinkPath("a", child),
      "layer link": layerLinkPath("a", layer),
      blob: blobDataPath(layer),
    }[of];

    await collectWith(opened, moment, path, async () => {
      await pushManifest(store, "a", { tag: "v1", children: [child] });
    });

    await expectServed(opened, child, ["layer"]);
    expect((await opened.collect({ deleteUntagged: true })).totals.manifests).toBe(0);
    await expectServed(opened, child, ["layer"]);
  }
});

it("refuses a manifest whose blob is gone for good, and shows nothing of it", async () => {
  const opened = await openCollectedStore();
  const { store, storage } = opened;
  const layer = await pushBlob(store, "a", "layer");
  const other = imageStoreOn(
    changed(storage, async (path) => {
      // The blob is there when it is checked, and gone when the link to the manifest is.
      if (path.includes("_manifests/revisions")) await storage.delete(blobDataPath(layer), call);
    }),
    { clock: systemClock, validation: { urls: { allow: [], deny: [] } } },
  );
  const descriptor = { mediaType: "a/b", digest: layer, size: 5 };
  const manifest = { schemaVersion: 2, config: descriptor, layers: [] };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const put = { bytes, mediaType: undefined, expected: undefined, tags: ["v1"] };

  await expect(other.manifests.write("a", put, call)).rejects.toMatchObject({
    code: "MANIFEST_BLOB_UNKNOWN",
  });

  expect(await store.manifests.read("a", digestOf(bytes), call)).toBeUndefined();
  expect(await store.tags.read("a", "v1", call)).toBeUndefined();
});

it("has a tag mean what it did when a blob is gone for good as soon as the tag is there", async () => {
  const opened = await openCollectedStore();
  const { store, storage } = opened;
  const old = await pushManifest(store, "a", { tag: "v1", layers: ["old"] });
  const layer = await pushBlob(store, "a", "layer");
  const order: string[] = [];
  const other = imageStoreOn(
    changed(storage, async (path) => {
      order.push(path);
      if (path.endsWith("/current/link")) await storage.delete(blobDataPath(layer), call);
    }),
    { clock: systemClock, validation: { urls: { allow: [], deny: [] } } },
  );
  const descriptor = { mediaType: "a/b", digest: layer, size: 5 };
  const manifest = { schemaVersion: 2, config: descriptor, layers: [] };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const put = { bytes, mediaType: undefined, expected: undefined, tags: ["v1", "v2"] };

  await expect(other.manifests.write("a", put, call)).rejects.toMatchObject({
    code: "MANIFEST_BLOB_UNKNOWN",
  });

  expect(order.slice(0, 2)).toEqual([
    blobDataPath(digestOf(bytes)),
    revisionLinkPath("a", digestOf(bytes)),
  ]);
  expect(await store.tags.read("a", "v1", call)).toBe(old);
  expect(await store.tags.read("a", "v2", call)).toBeUndefined();
  expect(await store.manifests.readTag("a", "v1", call)).toMatchObject({ digest: old });
});

it("is killed after any renaming, and neither loses nor doubles anything", async () => {
  for (let kill = 1; kill <= 9; kill++) {
    const opened = await openCollectedStore();
    const { store, storage, collect } = opened;
    const kept = await pushManifest(store, "a", { tag: "v1", layers: ["kept"] });
    for (const name of ["one", "two", "three"]) {
      await pushManifest(store, "a", { layers: [name] });
    }
    let left = kill;
    const killed: StorageDriver = {
      ...storage,
      async setAside(...names) {
        if (left-- === 0) throw new Error("killed");
        return storage.setAside(...names);
      },
    };

    await expect(collect({ deleteUntagged: true }, killed)).rejects.toThrow("killed");
    await expectServed(opened, kept, ["kept"]);
    const { totals } = await collect({ deleteUntagged: true });

    await expectServed(opened, kept, ["kept"]);
    expect(totals.marked).toBeGreaterThanOrEqual(1);
    for (const name of ["one", "two", "three"]) {
      expect(await storage.stat(blobDataPath(digestOf(name)), call)).toBeUndefined();
    }
  }
});

it("brings back at its next start what it was killed over", async () => {
  const opened = await openCollectedStore();
  const { store, storage, collect } = opened;
  await pushManifest(store, "a", { layers: ["layer"] });
  const path = blobDataPath(digestOf("layer"));
  const killed: StorageDriver = {
    ...storage,
    async setAside(from, to, call) {
      if (from !== path) return storage.setAside(from, to, call);
      await storage.touch([path], call); // somebody relies on it, after it was looked at
      await storage.setAside(from, to, call);
      throw new Error("killed");
    },
  };
  await expect(collect({ deleteUntagged: true }, killed)).rejects.toThrow("killed");
  expect(await storage.stat(path, call)).toBeUndefined();

  const { totals, events } = await collect({ deleteUntagged: true });

  expect(events[0]).toEqual({ is: "restored", path });
  expect(totals.restored).toBe(1);
  expect(await storage.stat(path, call)).toBeDefined();
});

it("serves what a killed collection should not have taken, without waiting for the next", async () => {
  const { store, storage } = await openCollectedStore();
  const image = await pushManifest(store, "a", { layers: ["layer"] });
  const nowMs = Date.now();
  const run = { begunMs: nowMs, cutoffMs: nowMs - 3_600_000 };
  const taken: StoragePath[] = [
    revisionLinkPath("a", image),
    layerLinkPath("a", digestOf("layer")),
    blobDataPath(digestOf("layer")),
    blobDataPath(image),
  ];
  for (const path of taken) expect(await trashOn(storage).put(path, run, call)).toBe(true);

  expect(await store.manifests.read("a", image, call)).toBeDefined();
  expect(await store.blobs.find("a", digestOf("layer"), call)).toBeDefined();
});

it("goes on where it was stopped", async () => {
  const { store, collect } = await openCollectedStore();
  for (const repository of ["a", "b", "c"]) {
    await pushManifest(store, repository, { layers: [repository] });
    await pushBlob(store, repository, `orphan of ${repository}`);
  }
  const stop = new Error("stopped");
  const begun: Date[] = [];

  for (let round = 0; round < 3; round++) {
    const { events } = await collect({
      report(event) {
        if (event.is === "begun") begun.push(event.begun);
        if (event.is === "eligible" && event.item.kind === "blob" && round < 2) throw stop;
      },
    }).catch((error: unknown) => {
      expect(error).toBe(stop);
      return { events: [] };
    });
    expect(events).toBeDefined();
  }

  expect(new Set(begun.map((date) => date.getTime())).size).toBe(1);
  for (const repository of ["a", "b", "c"]) {
    const orphan = digestOf(`orphan of ${repository}`);
    expect(await store.blobs.find(repository, orphan, call)).toBeUndefined();
    expect(await store.blobs.find(repository, digestOf(repository), call)).toBeDefined();
  }
});

/** Collects, and does `work` at one moment around the renaming of `path` into the trash. */
async function collectWith(
  { storage, collect }: CollectedStore,
  moment: (typeof moments)[number],
  path: StoragePath,
  work: () => Promise<void>,
): Promise<void> {
  let isDone = false;
  const intercepted: StorageDriver = {
    ...storage,
    async setAside(from, to, call) {
      if (from !== path || isDone) return storage.setAside(from, to, call);
      isDone = true;
      if (moment === "before") await work();
      const result = await storage.setAside(from, to, call);
      if (moment === "after") await work();
      return result;
    },
  };
  await collect({ deleteUntagged: true }, intercepted);
  expect(isDone).toBe(true);
}

/** `storage`, with `work` done after each write. */
function changed(
  storage: StorageDriver,
  work: (path: StoragePath) => Promise<void>,
): StorageDriver {
  return placingThrough(storage, async (path, put) => {
    await put();
    await work(path);
  });
}

/** As a client sees it, and on the disk as well. */
async function expectServed(
  { store, storage }: CollectedStore,
  digest: Digest | undefined,
  layers: string[],
): Promise<void> {
  if (digest === undefined) throw new Error("nothing was pushed");
  expect(await storage.stat(revisionLinkPath("a", digest), call)).toBeDefined();
  expect(await storage.stat(blobDataPath(digest), call)).toBeDefined();
  for (const layer of layers.map((text) => digestOf(text))) {
    expect(await storage.stat(layerLinkPath("a", layer), call)).toBeDefined();
    expect(await storage.stat(blobDataPath(layer), call)).toBeDefined();
  }
  expect(await store.manifests.read("a", digest, call)).toBeDefined();
}

function randomTag(): string {
  return `t${randomBytes(4).toString("hex")}`;
}
