import { isTag } from "../../oci/reference.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { Leases } from "./leases.ts";
import { readLink } from "./link.ts";
import {
  layersPath,
  manifestsPath,
  pullsPath,
  revisionsPath,
  tagLinkPath,
  tagPath,
  tagsPath,
  uploadsPath,
} from "./paths.ts";
import { isRepositoryThere } from "./repository.ts";
import type { ActorCall, TagHistory } from "./tag-history.ts";

export interface RemovalParts {
  storage: StorageDriver;
  leases: Leases;
  history: TagHistory | undefined;
}

/**
 * Takes out a whole repository, with the uploads to it that are under way; `false` when there is
 * none. Repositories below it stay, as do the bytes, which other repositories may have as well.
 *
 * Tags first, then manifests, then links to blobs: killed in between, nothing means what is not
 * there, and the rest goes when it is asked for again.
 */
export async function removeRepository(
  repository: string,
  { storage, leases, history }: RemovalParts,
  call: ActorCall,
): Promise<boolean> {
  const having = ["_manifests", "_layers", "_uploads"] as const;
  if (!(await isRepositoryThere(storage, repository, { ...call, having }))) return false;
  await removeTags();
  await storage.delete(manifestsPath(repository), call);
  await leases.end(`${revisionsPath(repository)}/all`, call);
  await storage.delete(layersPath(repository), call);
  await leases.end(`${layersPath(repository)}/all`, call);
  await storage.discard(pullsPath(repository), call);
  await storage.delete(uploadsPath(repository), call);
  return true;

  async function removeTags(): Promise<void> {
    for await (const tag of storage.list(tagsPath(repository), call)) {
      call.signal.throwIfAborted();
      if (!isTag(tag)) continue;
      const previous = await readLink(storage, tagLinkPath(repository, tag), call);
      await storage.discard(tagPath(repository, tag), call);
      if (previous === undefined) continue;
      await history?.note(repository, tag, { digest: undefined, previous }, call);
    }
    await storage.delete(tagsPath(repository), call);
  }
}
