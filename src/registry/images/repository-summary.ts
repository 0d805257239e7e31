import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { isTag } from "../../oci/reference.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import { readOwnLink } from "./link.ts";
import {
  blobDataPath,
  layerLinkPath,
  layersPath,
  revisionLinkPath,
  revisionsPath,
  tagLinkPath,
  tagsPath,
} from "./paths.ts";
import { storedDigests } from "./stored-digests.ts";

/** What there is in a repository. */
export interface RepositorySummary {
  tags: number;
  /** Of its blobs and manifests; other repositories may have them as well. */
  bytes: number;
  /** When a tag was last pushed; `undefined` when it has none. */
  pushedAt: Date | undefined;
}

/** Looked up anew each time, by the files that are there. */
export async function summaryOf(
  repository: string,
  storage: StorageDriver,
  call: Call,
): Promise<RepositorySummary> {
  const summary: RepositorySummary = { tags: 0, bytes: 0, pushedAt: undefined };
  for await (const tag of storage.list(tagsPath(repository), call)) {
    call.signal.throwIfAborted();
    const link = isTag(tag) && (await storage.stat(tagLinkPath(repository, tag), call));
    if (!link || link.size === 0) continue;
    summary.tags++;
    if (!summary.pushedAt || link.modified > summary.pushedAt) summary.pushedAt = link.modified;
  }
  for await (const digest of storedDigests(storage, layersPath(repository), call)) {
    summary.bytes += await sizeOf(digest, layerLinkPath(repository, digest));
  }
  for await (const digest of storedDigests(storage, revisionsPath(repository), call)) {
    summary.bytes += await sizeOf(digest, revisionLinkPath(repository, digest));
  }
  return summary;

  async function sizeOf(digest: Digest, link: StoragePath): Promise<number> {
    call.signal.throwIfAborted();
    const data = await readOwnLink(storage, link, digest, call);
    return (data && (await storage.stat(blobDataPath(data), call))?.size) ?? 0;
  }
}
