import type { Call } from "../../base/call.ts";
import { isTag } from "../../oci/reference.ts";
import type { ImageStore } from "../images/image-store.ts";
import { readLink } from "../images/link.ts";
import { revisionLinkPath, tagLinkPath, tagsPath } from "../images/paths.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { GarbageEvent } from "./garbage-event.ts";
import { inParallel } from "./parallel.ts";

export interface RestoringParts {
  storage: StorageDriver;
  images: Pick<ImageStore, "manifests">;
  parallel: number;
  dryRun: boolean;
  tell(event: GarbageEvent): void;
}

/**
 * Brings back, with all they are made of, manifests that were taken and have a tag. That was written
 * after a collection had read the tags. Whoever wrote it brings the manifest back as well, see
 * `Leases`, but may be killed over it.
 */
export async function restoreTagged(
  repository: string,
  { storage, images, parallel, dryRun, tell }: RestoringParts,
  call: Call,
): Promise<void> {
  if (dryRun) return;
  const tags = storage.list(tagsPath(repository), call);
  await inParallel(tags, { limit: parallel, ...call }, async (tag) => {
    const digest = isTag(tag) && (await readLink(storage, tagLinkPath(repository, tag), call));
    if (!digest) return;
    const path = revisionLinkPath(repository, digest);
    if (await storage.stat(path, call)) return;
    if (await images.manifests.hold(repository, digest, call)) tell({ is: "restored", path });
  });
}
