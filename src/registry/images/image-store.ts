import type { Clock } from "../../base/clock.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { type Blobs, blobsOn } from "./blobs.ts";
import { type Catalog, catalogOn } from "./catalog.ts";
import { checkReferences, type UrlRules } from "./manifest-references.ts";
import { type Manifests, manifestsOn } from "./manifests.ts";
import { type Referrers, referrersOn } from "./referrers.ts";
import { RepositoryLocks } from "./repository-locks.ts";
import { type Tags, tagsOn } from "./tags.ts";
import { type Uploads, uploadsOn } from "./uploads.ts";

/** Images and artifacts, as the distribution specification sees them. */
export interface ImageStore {
  blobs: Blobs;
  uploads: Uploads;
  manifests: Manifests;
  tags: Tags;
  catalog: Catalog;
  referrers: Referrers;
}

export interface ImageStoreOptions {
  clock: Clock;
  /** What a manifest is checked for; nothing when it is `undefined`. */
  validation: { urls: UrlRules } | undefined;
}

/** The image store that keeps everything on `storage`, in Distribution's layout. */
export function imageStoreOn(
  storage: StorageDriver,
  { clock, validation }: ImageStoreOptions,
): ImageStore {
  const blobs = blobsOn(storage);
  const tags = tagsOn(storage);
  const manifests: Manifests = manifestsOn({
    storage,
    tags,
    async check(repository, manifest, call) {
      if (validation === undefined) return;
      const { urls } = validation;
      await checkReferences(repository, manifest, { blobs, manifests, urls }, call);
    },
  });
  const locks = new RepositoryLocks();
  return {
    blobs: {
      ...blobs,
      unlink: (repository, digest, call) =>
        locks.removing(repository, call, () => blobs.unlink(repository, digest, call)),
    },
    uploads: uploadsOn(storage, clock),
    manifests: {
      ...manifests,
      write: (repository, put, call) =>
        locks.adding(repository, call, () => manifests.write(repository, put, call)),
      delete: (repository, digest, call) =>
        locks.removing(repository, call, () => manifests.delete(repository, digest, call)),
    },
    tags: {
      ...tags,
      delete: (repository, tag, call) =>
        locks.removing(repository, call, () => tags.delete(repository, tag, call)),
    },
    catalog: catalogOn(storage),
    referrers: referrersOn(storage, manifests),
  };
}
