import { mkdtemp, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { type ImageStore, imageStoreOn } from "../images/image-store.ts";
import { call, pushBlob as pushBytes } from "../images/pushed-image.fake.ts";
import { openFilesystemStorage } from "../storage/filesystem.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { type CollectOptions, collectGarbage } from "./collect.ts";
import type { GarbageEvent, GarbageTotals } from "./garbage-event.ts";

export interface CollectedStore {
  directory: string;
  storage: StorageDriver;
  store: ImageStore;
  /** Collects, with everything used before this instant beyond its grace. */
  collect(
    options?: Partial<CollectOptions>,
    storage?: StorageDriver,
  ): Promise<{ totals: GarbageTotals; events: GarbageEvent[] }>;
}

/** An image store in a directory of its own, for the length of one test. */
export async function openCollectedStore(): Promise<CollectedStore> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-garbage-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const options = { rootdirectory: directory };
  const storage = await openFilesystemStorage(options, { access: "write" });
  const validation = { urls: { allow: [], deny: [] } };
  return {
    directory,
    storage,
    store: imageStoreOn(storage, { clock: systemClock, validation }),
    async collect(changes = {}, on = storage) {
      await passing();
      const events: GarbageEvent[] = [];
      const totals = await collectGarbage(
        on,
        {
          ...{ graceMs: 0, trashMs: 3_600_000, deleteUntagged: false, dryRun: false },
          clock: systemClock,
          report: (event) => events.push(event),
          ...changes,
        },
        call,
      );
      return { totals, events };
    },
  };
}

/** Makes it look as if these were last used an hour ago. */
export async function age({ directory }: CollectedStore, ...paths: string[]): Promise<void> {
  const hourAgo = new Date(Date.now() - 3_600_000);
  for (const path of paths) await utimes(join(directory, path), hourAgo, hourAgo);
}

/** Until the clock shows another millisecond than that of the last use. */
async function passing(): Promise<void> {
  const beganMs = Date.now();
  while (Date.now() <= beganMs + 1) await new Promise((resolve) => setImmediate(resolve));
}

export async function pushBlob(
  store: ImageStore,
  repository: string,
  text: string,
): Promise<Digest> {
  return await pushBytes(store, repository, Buffer.from(text));
}

export interface ManifestParts {
  tag?: string;
  subject?: Digest;
  children?: Digest[];
  /** A text for each layer; they are pushed. */
  layers?: string[];
}

/** Pushes an image, or with `children` an index; by digest when there is no tag. */
export async function pushManifest(
  store: ImageStore,
  repository: string,
  { tag, subject, children, layers = ["layer"] }: ManifestParts,
): Promise<Digest> {
  const describe = (digest: Digest, mediaType = "a/b") => ({ mediaType, digest, size: 1 });
  const digests: Digest[] = [];
  for (const layer of children ? [] : layers)
    digests.push(await pushBlob(store, repository, layer));
  const mediaType = children ? mediaTypes.ociIndex : mediaTypes.ociManifest;
  const [config = digestOf("")] = digests;
  const content = children
    ? { manifests: children.map((child) => describe(child, mediaTypes.ociManifest)) }
    : { config: describe(config), layers: digests.map((digest) => describe(digest)) };
  const named = subject && { subject: describe(subject, mediaTypes.ociManifest) };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content, ...named }));
  const tags = tag === undefined ? [] : [tag];
  const put = { bytes, mediaType, expected: undefined, tags };
  return (await store.manifests.write(repository, put, call)).digest;
}
