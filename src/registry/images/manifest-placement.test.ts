import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { openFilesystemStorage } from "../storage/filesystem.ts";
import { imageStoreOn } from "./image-store.ts";
import { blobDataPath } from "./paths.ts";
import { call, pushImage, putOf } from "./pushed-image.fake.ts";

it("writes nothing of a manifest whose blobs are not there, or empty since a power failure", async () => {
  const { directory, store } = await openStore();
  const { config } = await pushImage(store, "a", "v1");
  const other = await pushImage(store, "a", "v2");
  await truncate(join(directory, blobDataPath(other.config)));
  const before = await namesIn(directory);

  for (const missing of [digestOf("nowhere"), other.config]) {
    const bytes = imageOf(config, { digest: missing });
    await expect(store.manifests.write("a", putOf(bytes, "new"), call)).rejects.toMatchObject({
      code: "MANIFEST_BLOB_UNKNOWN",
    });
  }

  expect(await namesIn(directory)).toEqual(before);
});

it("refuses a layer that may not be fetched from where it says, though it is there", async () => {
  const { store } = await openStore();
  const { config } = await pushImage(store, "a", "v1");
  const bytes = imageOf(config, { digest: config, urls: ["https://denied.example/layer"] });

  await expect(store.manifests.write("a", putOf(bytes, "new"), call)).rejects.toMatchObject({
    code: "MANIFEST_INVALID",
  });
  expect(await store.tags.read("a", "new", call)).toBeUndefined();
});

it("knows what a tag meant when it moves it", async () => {
  const { store } = await openStore();
  const first = await pushImage(store, "a", "v1");
  const second = await pushImage(store, "a", "v2");

  const tagCall = { ...call, touch: [] };
  const { before } = await store.tags.write("a", ["v1", "v3"], second.digest, tagCall);

  expect([...before]).toEqual([
    ["v1", first.digest],
    ["v3", undefined],
  ]);
  expect(await store.tags.read("a", "v1", call)).toBe(second.digest);
});

function imageOf(config: Digest, layer: { digest: Digest; urls?: string[] }): Buffer {
  const described = { mediaType: "application/vnd.oci.image.config.v1+json", size: 1 };
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: { ...described, digest: config },
      layers: [{ ...described, ...layer }],
    }),
  );
}

async function openStore() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-placing-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const options = { rootdirectory: directory };
  const storage = await openFilesystemStorage(options, { access: "write" });
  const urls = { allow: [], deny: [/denied/] };
  return { directory, store: imageStoreOn(storage, { clock: systemClock, validation: { urls } }) };
}

async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true })).sort();
}
