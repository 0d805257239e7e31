import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openCollectedStore, pushBlob, pushManifest } from "../garbage/collected-store.fake.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { imageStoreOn } from "./image-store.ts";
import { uploadsPath } from "./paths.ts";
import { call } from "./pushed-image.fake.ts";
import { tagHistoryOn } from "./tag-history.ts";

const page = { limit: 100, last: undefined };

it("takes out tags, manifests, blobs and uploads, and leaves what is below and beside", async () => {
  const { store } = await openCollectedStore();
  const digest = await pushManifest(store, "team", { tag: "v1", layers: ["shared"] });
  await pushManifest(store, "team/app", { tag: "v1", layers: ["shared"] });
  const layer = await pushBlob(store, "team", "alone");
  const upload = await store.uploads.begin("team", { ...call, algorithm: "sha256" });

  expect(await store.repositories.delete("team", call)).toBe(true);

  expect(await store.catalog.list(page, call)).toEqual({ names: ["team/app"], more: false });
  expect(await store.tags.list("team", page, call)).toBeUndefined();
  expect(await store.manifests.read("team", digest, call)).toBeUndefined();
  expect(await store.blobs.find("team", layer, call)).toBeUndefined();
  await expect(store.uploads.find("team", upload.id, call)).rejects.toThrow("no such upload");
  expect(await store.manifests.readTag("team/app", "v1", call)).toBeDefined();
  expect(await store.repositories.delete("team", call)).toBe(false);
});

it("leaves the bytes to the collection, which brings nothing back", async () => {
  const opened = await openCollectedStore();
  const { store } = opened;
  const untagged = await pushManifest(store, "team", { layers: ["a layer"] });
  await opened.collect({ deleteUntagged: true });
  await pushManifest(store, "team", { tag: "v1", layers: ["another"] });

  await store.repositories.delete("team", call);
  const { totals } = await opened.collect();

  expect(totals).toMatchObject({ blobs: 2, manifests: 0 });
  expect(await store.manifests.read("team", untagged, call)).toBeUndefined();
  expect(await store.catalog.list(page, call)).toEqual({ names: [], more: false });
});

it("says in the history of each tag who did it", async () => {
  const opened = await openCollectedStore();
  const { store, history } = withHistory(opened.storage);
  const digest = await pushManifest(store, "team", { tag: "v1" });

  await store.repositories.delete("team", { ...call, actor: "alice" });

  expect(await history.list("team", "v1", call)).toMatchObject([
    { digest: undefined, previous: digest, actor: "alice" },
    { digest, previous: undefined },
  ]);
});

it("can be killed at any step, and ends what it began when it is asked again", async () => {
  for (let steps = 1; ; steps++) {
    const opened = await openCollectedStore();
    const { store } = opened;
    for (const tag of ["v1", "v2"]) await pushManifest(store, "team", { tag, layers: [tag] });
    const dying = withHistory(killedAfter(steps, opened.storage)).store;
    const isKilled = await dying.repositories.delete("team", call).then(
      () => false,
      () => true,
    );

    for (const tag of ["v1", "v2"]) {
      const digest = await store.tags.read("team", tag, call);
      const manifest = digest && (await store.manifests.read("team", digest, call));
      expect([steps, digest]).toEqual([steps, manifest?.digest]);
    }
    const isLeft = (await store.catalog.list(page, call)).names.length > 0;
    const isEnded = await store.repositories.delete("team", call);
    expect(isEnded || !isLeft).toBe(true);
    expect(await store.catalog.list(page, call)).toEqual({ names: [], more: false });
    if (!isKilled) break;
  }
});

it("ends what only has the directory of an upload", async () => {
  const { store, directory } = await openCollectedStore();
  await mkdir(join(directory, uploadsPath("team"), "left"), { recursive: true });

  expect(await store.repositories.delete("team", call)).toBe(true);
  expect(await store.repositories.delete("team", call)).toBe(false);
});

function withHistory(storage: StorageDriver) {
  const history = tagHistoryOn(storage, { clock: systemClock, logger: new FakeLogger() });
  const store = imageStoreOn(storage, { clock: systemClock, validation: undefined, history });
  return { history, store };
}

/** A storage that takes so many deletions, and then none. */
function killedAfter(steps: number, storage: StorageDriver): StorageDriver {
  let left = steps;
  const step = () => {
    if (left-- <= 0) throw new Error("killed");
  };
  return {
    ...storage,
    async delete(path, call) {
      step();
      await storage.delete(path, call);
    },
    async discard(path, call) {
      step();
      await storage.discard(path, call);
    },
  };
}
