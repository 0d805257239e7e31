import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import { call } from "../images/pushed-image.fake.ts";
import { openCollectedStore, pushBlob, pushManifest } from "./collected-store.fake.ts";
import { restoreTrash } from "./restore-trash.ts";

it("brings everything back from the trash", async () => {
  const { store, storage, collect } = await openCollectedStore();
  const image = await pushManifest(store, "a/b", { layers: ["config", "layer"] });
  await collect({ deleteUntagged: true });
  expect(await store.manifests.has("a/b", image, call)).toBe(false);

  expect(await restoreTrash(storage, () => {}, call)).toBe(6);

  expect(await store.manifests.read("a/b", image, call)).toBeDefined();
  for (const layer of ["config", "layer"]) {
    expect(await store.blobs.find("a/b", digestOf(layer), call)).toBeDefined();
  }
});

it("empties the trash when its time has come", async () => {
  const { store, directory, collect } = await openCollectedStore();
  await pushBlob(store, "a", "orphan");

  await collect({ trashMs: 0 });

  expect(await readdir(join(directory, "dewy"))).toEqual(["garbage", "trash"]);
  expect(await readdir(join(directory, "dewy/trash"))).toEqual([]);
  expect(await readdir(join(directory, "dewy/garbage"))).toEqual(["reserve"]);
});

it("gives a deleted blob to nobody again, though it is in the trash", async () => {
  const { store, collect } = await openCollectedStore();
  const image = await pushManifest(store, "a", { layers: ["secret"] });
  await collect({ deleteUntagged: true });
  await pushManifest(store, "a", { tag: "v1", layers: ["secret"] });
  await store.manifests.delete("a", image, call);
  await store.blobs.unlink("a", digestOf("secret"), call);

  expect(await store.blobs.hold("a", digestOf("secret"), call)).toBe(false);
  expect(await store.manifests.hold("a", image, call)).toBe(false);
});
