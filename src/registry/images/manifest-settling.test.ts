import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { digestOf } from "../../oci/digest.ts";
import { openInmemoryStorage } from "../storage/inmemory.ts";
import { placingThrough } from "../storage-driver.fake.ts";
import { type StorageDriver, StorageError } from "../storage-driver.ts";
import { type ImageStore, imageStoreOn } from "./image-store.ts";
import { blobDataPath, revisionLinkPath, tagLinkPath } from "./paths.ts";
import { call, chunk, pushBlob, pushImage, putOf } from "./pushed-image.fake.ts";

const current = tagLinkPath("a", "v1");

it("undoes no push of another image that the same tag got while it is undone", async () => {
  const { store, storage, changes } = openStore();
  await pushImage(store, "a", "v1");
  const { bytes: failing, config } = await pushImage(store, "a", "failing");
  const { bytes, digest } = await pushImage(store, "a", "other");
  let other: Promise<unknown> | undefined;
  changes.placed = async (path) => {
    if (path === current) await storage.delete(blobDataPath(config), call);
  };
  changes.read = async (path) => {
    if (path !== current || other !== undefined) return;
    changes.placed = undefined;
    other = store.manifests.write("a", putOf(bytes, "v1"), call);
    for (let turn = 0; turn < 50; turn++) await setImmediate();
  };

  await expect(store.manifests.write("a", putOf(failing, "v1"), call)).rejects.toMatchObject({
    code: "MANIFEST_BLOB_UNKNOWN",
  });
  await other;

  expect(other).toBeDefined();
  expect(await store.tags.read("a", "v1", call)).toBe(digest);
});

it("has a tag mean what it did before two pushes that are both undone", async () => {
  const { store, storage, changes } = openStore();
  const { digest } = await pushImage(store, "a", "v1");
  const first = await pushImage(store, "a", "first");
  const second = await pushImage(store, "a", "second");
  for (const image of [first, second]) await store.manifests.delete("a", image.digest, call);
  let other: Promise<unknown> | undefined;
  let moveOn = () => {};
  const isMoved = new Promise<void>((resolve) => {
    moveOn = resolve;
  });
  changes.placed = async (path) => {
    if (path !== current) return;
    if (other === undefined) {
      await storage.delete(blobDataPath(first.config), call);
      other = store.manifests.write("a", putOf(second.bytes, "v1"), call).catch(codeOf);
      return await isMoved;
    }
    changes.placed = undefined;
    await storage.delete(blobDataPath(second.config), call);
    moveOn();
    for (let turn = 0; turn < 50; turn++) await setImmediate(); // the first fails before the second
  };

  const one = await store.manifests.write("a", putOf(first.bytes, "v1"), call).catch(codeOf);

  expect([one, await other]).toEqual(["MANIFEST_BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"]);
  expect(await store.manifests.readTag("a", "v1", call)).toMatchObject({ digest });
});

it("undoes nothing that another push of the same image relies on", async () => {
  const { store, storage, changes } = openStore();
  await pushImage(store, "a", "v1");
  const { bytes, config, digest } = await losing(store, storage, changes);
  let other: Promise<unknown> | undefined;
  changes.touched = async (paths) => {
    if (!paths.includes(blobDataPath(config))) return;
    changes.placed = undefined;
    changes.touched = undefined;
    await pushBlob(store, "a", Buffer.from(`{"tag":"image"}`));
    other = store.manifests.write("a", putOf(bytes, "v1"), call);
    await other;
    throw new StorageError("UNAVAILABLE", "the disk failed");
  };

  await store.manifests.write("a", putOf(bytes, "v1"), call);

  expect(await other).toMatchObject({ digest });
  expect(await store.manifests.readTag("a", "v1", call)).toMatchObject({ digest });
});

it("undoes nothing while it cannot be told whether anything is missing", async () => {
  const { store, storage, changes } = openStore();
  await pushImage(store, "a", "v1");
  const { bytes, config, digest } = await losing(store, storage, changes);
  let other: Promise<unknown> | undefined;
  changes.touched = async (paths) => {
    if (!paths.includes(blobDataPath(config))) return;
    if (other === undefined) {
      changes.placed = undefined;
      await pushBlob(store, "a", Buffer.from(`{"tag":"image"}`));
      other = store.manifests.write("a", putOf(bytes, "v1"), call);
      await other;
    }
    throw new StorageError("UNAVAILABLE", "the disk failed");
  };

  const failing = store.manifests.write("a", putOf(bytes, "v1"), call);
  await expect(failing).rejects.toMatchObject({ code: "UNAVAILABLE" });

  changes.touched = undefined;
  expect(await other).toMatchObject({ digest });
  expect(await store.manifests.readTag("a", "v1", call)).toMatchObject({ digest });
});

it("brings nothing back that somebody has deleted meanwhile", async () => {
  const { store, storage, changes } = openStore();
  const { bytes, config, digest } = await losing(store, storage, changes);
  let deleted: Promise<boolean> | undefined;
  changes.touched = async (paths) => {
    if (deleted !== undefined || !paths.includes(blobDataPath(config))) return;
    changes.placed = undefined;
    deleted = store.manifests.delete("a", digest, call); // waits for the push, and goes first then
    await pushBlob(store, "a", Buffer.from(`{"tag":"image"}`));
    throw new StorageError("UNAVAILABLE", "the disk failed");
  };

  const failing = store.manifests.write("a", putOf(bytes, "v1"), call);
  await expect(failing).rejects.toMatchObject({ code: "UNAVAILABLE" });

  expect(await deleted).toBe(true);
  expect(await store.manifests.has("a", digest, call)).toBe(false);
  expect(await store.tags.read("a", "v1", call)).toBeUndefined();
});

it("shows nothing of a manifest whose blob is gone once its tag is there", async () => {
  const { store, storage, changes } = openStore();
  const { bytes, digest } = await losing(store, storage, changes);

  await expect(store.manifests.write("a", putOf(bytes, "v1"), call)).rejects.toMatchObject({
    code: "MANIFEST_BLOB_UNKNOWN",
  });

  expect(await store.tags.read("a", "v1", call)).toBeUndefined();
  expect(await storage.stat(revisionLinkPath("a", digest), call)).toBeUndefined();
});

it("acknowledges no blob that a collection on a full disk has taken at that moment", async () => {
  const { store, storage, changes } = openStore();
  const bytes = Buffer.from("layer");
  const path = blobDataPath(digestOf(bytes));
  changes.placed = async (placed) => {
    if (placed === path) await storage.delete(path, call);
  };

  await expect(pushBlob(store, "a", bytes)).rejects.toMatchObject({ code: "UNAVAILABLE" });

  changes.placed = undefined;
  const digest = await pushBlob(store, "a", bytes);
  expect(await store.blobs.find("a", digest, call)).toMatchObject({ size: 5 });
});

it("knows the upload of such a blob no longer", async () => {
  const { store, storage, changes } = openStore();
  const bytes = Buffer.from("layer");
  const digest = digestOf(bytes);
  changes.placed = async (path) => {
    if (path === blobDataPath(digest)) await storage.delete(path, call);
  };
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  const end = () => ({ digest, chunk: chunk(bytes) });
  await expect(store.uploads.commit("a", id, end(), call)).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
  changes.placed = undefined;

  for (const again of [
    () => store.uploads.find("a", id, call),
    () => store.uploads.commit("a", id, end(), call),
    () => store.uploads.append("a", id, chunk(bytes), call),
  ]) {
    await expect(again()).rejects.toMatchObject({ code: "BLOB_UPLOAD_UNKNOWN" });
  }
});

it("brings the bytes of a manifest again that such a collection has taken", async () => {
  const { store, storage, changes } = openStore();
  const { bytes, digest } = await pushImage(store, "a", "image");
  await store.manifests.delete("a", digest, call);
  const path = blobDataPath(digest);
  changes.placed = async (placed) => {
    if (placed !== path) return;
    changes.placed = undefined;
    await storage.delete(path, call);
  };

  await store.manifests.write("a", { ...putOf(bytes, ""), tags: [] }, call);

  expect(await store.manifests.has("a", digest, call)).toBe(true);
});

/** An image whose config is gone once a push of it has its tag. */
async function losing(store: ImageStore, storage: StorageDriver, changes: Changes) {
  const image = await pushImage(store, "a", "image");
  await store.manifests.delete("a", image.digest, call);
  changes.placed = async (path) => {
    if (path === current) await storage.delete(blobDataPath(image.config), call);
  };
  return image;
}

function codeOf({ code }: { code: string }): string {
  return code;
}

interface Changes {
  /** After a file is in its place. */
  placed?: ((path: string) => Promise<void>) | undefined;
  /** Before the caller has what was read of one small file. */
  read?: ((path: string) => Promise<void>) | undefined;
  touched?: ((paths: readonly string[]) => Promise<void>) | undefined;
}

function openStore(): { store: ImageStore; storage: StorageDriver; changes: Changes } {
  const changes: Changes = {};
  const storage = openInmemoryStorage(() => new Date());
  const changed: StorageDriver = {
    ...placingThrough(storage, async (path, put) => {
      await put();
      await changes.placed?.(path);
    }),
    async readWhole(path, readCall) {
      const bytes = await storage.readWhole(path, readCall);
      await changes.read?.(path);
      return bytes;
    },
    async touch(paths, touchCall) {
      await changes.touched?.(paths);
      return await storage.touch(paths, touchCall);
    },
  };
  const validation = { urls: { allow: [], deny: [] } };
  return { store: imageStoreOn(changed, { clock: systemClock, validation }), storage, changes };
}
