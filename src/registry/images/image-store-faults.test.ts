import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { collect } from "../../base/bytes.ts";
import { systemClock } from "../../base/clock.ts";
import { digestOf } from "../../oci/digest.ts";
import { openInmemoryStorage } from "../storage/inmemory.ts";
import { type StorageDriver, StorageError } from "../storage-driver.ts";
import { type ImageStore, imageStoreOn } from "./image-store.ts";
import { call, chunk, pushImage, putOf } from "./pushed-image.fake.ts";

const piece = randomBytes(100_000);

it("keeps the tag that is pushed while what it meant before is deleted", async () => {
  const { store } = openChangedStore({ delete: slowly });
  const old = await pushImage(store, "a", "v1");
  const next = await pushImage(store, "a", "v2");

  await Promise.all([
    store.manifests.delete("a", old.digest, call),
    store.manifests.write("a", putOf(next.bytes, "v1"), call),
  ]);

  expect((await store.manifests.readTag("a", "v1", call))?.digest).toBe(next.digest);
});

it("leaves no tag of a deleted manifest that another process pushed at that moment", async () => {
  const storage = openInmemoryStorage(() => new Date());
  const options = { clock: systemClock, validation: { urls: { allow: [], deny: [] } } };
  const other = imageStoreOn(storage, options);
  const { digest, bytes } = await pushImage(other, "a", "v1");
  const deleting: StorageDriver = {
    ...storage,
    async delete(path, deleteCall) {
      const isLink = path.includes("/_manifests/revisions/");
      if (isLink) await other.manifests.write("a", putOf(bytes, "v2"), call);
      await storage.delete(path, deleteCall);
    },
  };

  await imageStoreOn(deleting, options).manifests.delete("a", digest, call);

  expect(await other.tags.read("a", "v1", call)).toBeUndefined();
  expect(await other.tags.read("a", "v2", call)).toBeUndefined();
});

it("acknowledges no manifest whose blob or revision is deleted at that moment", async () => {
  const { store } = openChangedStore({ delete: slowly });
  const { digest, config, bytes } = await pushImage(store, "a", "v1");

  const [, again] = await Promise.all([
    store.manifests.delete("a", digest, call),
    store.manifests.write("a", putOf(bytes, "v2"), call),
  ]);
  expect(await store.manifests.has("a", again.digest, call)).toBe(true);

  const [, put] = await Promise.allSettled([
    store.blobs.unlink("a", config, call),
    store.manifests.write("a", putOf(bytes, "v3"), call),
  ]);
  expect(put).toMatchObject({ reason: { code: "MANIFEST_BLOB_UNKNOWN" } });
});

it("hashes an upload again when the storage failed under it", async () => {
  let isFailing = true;
  const { store } = openChangedStore({
    append: (original) => async (path, source, at) => {
      if (!isFailing || path.endsWith("/startedat")) return original(path, source, at);
      isFailing = false;
      await collect(source, 1_000_000);
      throw new StorageError("UNAVAILABLE", "the disk failed");
    },
  });
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  await expect(store.uploads.append("a", id, chunk(piece), call)).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
  const other = randomBytes(piece.length);
  await store.uploads.append("a", id, chunk(other), call);

  const end = { digest: digestOf(piece), chunk: undefined };
  await expect(store.uploads.commit("a", id, end, call)).rejects.toMatchObject({
    code: "DIGEST_INVALID",
  });
});

it("keeps nothing of an upload it has no room to end", async () => {
  const { store } = openChangedStore({
    place: () => async () => {
      throw new StorageError("NO_SPACE", "no space is left");
    },
  });
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  await store.uploads.append("a", id, chunk(piece), call);

  const end = { digest: digestOf(piece), chunk: undefined };
  await expect(store.uploads.commit("a", id, end, call)).rejects.toMatchObject({
    code: "NO_SPACE",
  });

  await expect(store.uploads.find("a", id, call)).rejects.toMatchObject({
    code: "BLOB_UPLOAD_UNKNOWN",
  });
});

/** A store on memory, with some methods of its storage replaced. */
function openChangedStore(
  changes: {
    [Method in keyof StorageDriver]?: (original: StorageDriver[Method]) => StorageDriver[Method];
  },
): { store: ImageStore } {
  const storage = openInmemoryStorage(() => new Date());
  const changed: StorageDriver = {
    ...storage,
    ...(changes.append && { append: changes.append(storage.append) }),
    ...(changes.place && { place: changes.place(storage.place) }),
    ...(changes.placeInTurn && { placeInTurn: changes.placeInTurn(storage.placeInTurn) }),
    ...(changes.delete && { delete: changes.delete(storage.delete) }),
  };
  const validation = { urls: { allow: [], deny: [] } };
  return { store: imageStoreOn(changed, { clock: systemClock, validation }) };
}

/** Deletes only after everything else that can go on has gone on. */
function slowly(original: StorageDriver["delete"]): StorageDriver["delete"] {
  return async (...parameters) => {
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    await original(...parameters);
  };
}
