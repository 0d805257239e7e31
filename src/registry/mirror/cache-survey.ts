import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { isRepository } from "../../oci/reference.ts";
import type { ImageStore } from "../images/image-store.ts";
import {
  blobDataPath,
  blobsPath,
  layersPath,
  repositoriesPath,
  repositoryPath,
  revisionsPath,
  uploadPath,
  uploadsPath,
} from "../images/paths.ts";
import { storedDigests } from "../images/stored-digests.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import type { CacheIndex, CachePlace } from "./cache-index.ts";

export interface SurveyParts {
  storage: StorageDriver;
  store: ImageStore;
  index: CacheIndex;
  clock: Clock;
  /** When each was last used, where that is known. */
  uses: ReadonlyMap<string, number>;
}

/** Older than this, and known to nobody, it is what a killed process has left. */
const abandonedMs = 24 * 3_600_000;

/**
 * Finds out what the cache holds, from the storage, which is the only truth; and takes away links to
 * what is gone, bytes without a link, and downloads that were broken off.
 */
export async function survey(parts: SurveyParts, call: Call): Promise<void> {
  const { storage, index } = parts;
  for await (const repository of repositoriesBelow(storage, "", call)) {
    await takeIn({ repository, kind: "blob" }, layersPath(repository), parts, call);
    await takeIn({ repository, kind: "manifest" }, revisionsPath(repository), parts, call);
    await removeUploads(repository, parts, call);
  }
  index.sort();
  await removeOrphans(parts, call);
}

async function takeIn(
  place: CachePlace,
  path: StoragePath,
  { storage, store, index, uses }: SurveyParts,
  call: Call,
): Promise<void> {
  for await (const digest of storedDigests(storage, path, call)) {
    call.signal.throwIfAborted();
    const file = await storage.stat(blobDataPath(digest), call);
    if (file !== undefined) {
      index.keep(digest, file.size, place, uses.get(digest) ?? file.modified.getTime());
      continue;
    }
    await unlink(store, place, digest, call);
  }
}

/** Takes the name of something away; what is left of it is nobody's. */
export async function unlink(
  store: ImageStore,
  { repository, kind }: CachePlace,
  digest: Digest,
  call: Call,
): Promise<void> {
  if (kind === "blob") await store.blobs.unlink(repository, digest, call);
  else await store.manifests.delete(repository, digest, call);
}

async function removeUploads(
  repository: string,
  { storage, clock }: SurveyParts,
  call: Call,
): Promise<void> {
  for await (const id of storage.list(uploadsPath(repository), call)) {
    const path = uploadPath(repository, id);
    if (await isAbandoned(storage, path, clock, call)) await storage.discard(path, call);
  }
}

async function removeOrphans({ storage, index, clock }: SurveyParts, call: Call): Promise<void> {
  for (const algorithm of ["sha256", "sha512"] as const) {
    for await (const start of storage.list(blobsPath(algorithm), call)) {
      for await (const hex of storage.list(blobsPath(algorithm, start), call)) {
        call.signal.throwIfAborted();
        const digest = `${algorithm}:${hex}`;
        if (!isDigest(digest) || index.has(digest)) continue;
        const path: StoragePath = `${blobsPath(algorithm, start)}/${hex}`;
        if (await isAbandoned(storage, path, clock, call)) await storage.discard(path, call);
      }
    }
  }
}

async function isAbandoned(storage: StorageDriver, path: StoragePath, clock: Clock, call: Call) {
  const found = await storage.stat(path, call);
  return found !== undefined && clock.now().getTime() - found.modified.getTime() > abandonedMs;
}

async function* repositoriesBelow(
  storage: StorageDriver,
  parent: string,
  call: Call,
): AsyncGenerator<string> {
  const path = parent === "" ? repositoriesPath : repositoryPath(parent);
  const children: string[] = [];
  let isRepositoryItself = false;
  for await (const name of storage.list(path, call)) {
    if (name.startsWith("_")) isRepositoryItself = true;
    else if (isRepository(name)) children.push(name);
  }
  if (isRepositoryItself && parent !== "") yield parent;
  for (const child of children) {
    yield* repositoriesBelow(storage, parent === "" ? child : `${parent}/${child}`, call);
  }
}
