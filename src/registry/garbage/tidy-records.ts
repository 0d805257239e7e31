import type { Call } from "../../base/call.ts";
import { isTag } from "../../oci/reference.ts";
import { readLink } from "../images/link.ts";
import {
  ownRoot,
  pulledManifestPath,
  pulledTagPath,
  pullsPath,
  revisionLinkPath,
  tagHistoriesPath,
  tagHistoryPath,
  tagLinkPath,
} from "../images/paths.ts";
import { storedDigests } from "../images/stored-digests.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";

/** For so long it can be told who deleted a tag. */
const keptMs = 90 * 86_400_000;

/** Removes what is noted of tags and manifests that are gone; their history a while later. */
export async function tidyRecords(
  storage: StorageDriver,
  { nowMs, signal }: Call & { nowMs: number },
): Promise<void> {
  const call = { signal };
  await tidyBelow("");

  async function tidyBelow(repository: string): Promise<void> {
    const path: StoragePath = repository === "" ? ownRoot : `${ownRoot}/${repository}`;
    for await (const name of storage.list(path, call)) {
      signal.throwIfAborted();
      if (name === "_history") await tidyHistories(repository);
      else if (name === "_pulls") await tidyPulls(repository);
      else await tidyBelow(repository === "" ? name : `${repository}/${name}`);
    }
  }

  async function tidyHistories(repository: string): Promise<void> {
    for await (const tag of storage.list(tagHistoriesPath(repository), call)) {
      if (await isTagThere(repository, tag)) continue;
      const path = tagHistoryPath(repository, tag);
      const file = await storage.stat(path, call);
      const isOld = file !== undefined && file.modified.getTime() + keptMs < nowMs;
      if (isOld) await storage.discard(path, call);
    }
  }

  async function tidyPulls(repository: string): Promise<void> {
    for await (const tag of storage.list(`${pullsPath(repository)}/tags`, call)) {
      if (await isTagThere(repository, tag)) continue;
      await storage.discard(pulledTagPath(repository, tag), call);
    }
    for await (const digest of storedDigests(storage, pullsPath(repository), call)) {
      if (await storage.stat(revisionLinkPath(repository, digest), call)) continue;
      await storage.discard(pulledManifestPath(repository, digest), call);
    }
  }

  async function isTagThere(repository: string, tag: string): Promise<boolean> {
    if (!isTag(tag)) return false;
    return (await readLink(storage, tagLinkPath(repository, tag), call)) !== undefined;
  }
}
