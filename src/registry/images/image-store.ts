import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { type Logger, silentLogger } from "../../base/logger.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Manifest } from "../../oci/manifest.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { type Blobs, blobsOn } from "./blobs.ts";
import { type Catalog, catalogOn } from "./catalog.ts";
import { damageLog } from "./damage-log.ts";
import { type ImmutableTags, tagGuardOn } from "./immutable-tags.ts";
import { Leases } from "./leases.ts";
import {
  holdReferences,
  MissingReferences,
  type ReferenceRules,
  referencesOf,
  requiredOf,
} from "./manifest-references.ts";
import {
  type HoldCall,
  type ManifestPut,
  type Manifests,
  manifestsOn,
  type Written,
} from "./manifests.ts";
import { type Referrers, referrersOn } from "./referrers.ts";
import { RepositoryLocks } from "./repository-locks.ts";
import { removeRepository } from "./repository-removal.ts";
import { type RepositorySummary, summaryOf } from "./repository-summary.ts";
import type { ActorCall, TagHistory } from "./tag-history.ts";
import { type Tags, tagsOn } from "./tags.ts";
import { trashOn } from "./trash.ts";
import { type Uploads, uploadsOn } from "./uploads.ts";

/** Others wait meanwhile who push to the same repository. */
const settleMs = 60_000;

/** Images and artifacts, as the distribution specification sees them. */
export interface ImageStore {
  blobs: Blobs;
  uploads: Uploads;
  manifests: Manifests;
  tags: Tags;
  catalog: Catalog;
  referrers: Referrers;
  repositories: Repositories;
}

export interface Repositories {
  /** `undefined` for what was not pushed here. */
  summary(repository: string, call: Call): Promise<RepositorySummary | undefined>;
  /** See `removeRepository`. */
  delete(repository: string, call: ActorCall): Promise<boolean>;
}

export interface ImageStoreOptions {
  clock: Clock;
  /** What a manifest is checked for; nothing when it is `undefined`. */
  validation: ReferenceRules | undefined;
  /** Where changes of tags are noted, if anywhere. */
  history?: TagHistory | undefined;
  immutable?: ImmutableTags | undefined;
  /** Told once of each manifest that somebody wants and that is damaged. */
  logger?: Logger | undefined;
}

/** The image store that keeps everything on `storage`, in Distribution's layout. */
export function imageStoreOn(
  storage: StorageDriver,
  { clock, validation, history, immutable, logger = silentLogger }: ImageStoreOptions,
): ImageStore {
  const leases = new Leases(storage, trashOn(storage), clock);
  const blobs = blobsOn(storage, leases);
  const tags = tagsOn({ storage, leases, history });
  const manifests = manifestsOn({
    ...{ storage, tags, leases, damaged: damageLog(logger) },
    async check(repository, manifest, call) {
      const required = validation && requiredOf(manifest, validation);
      const missing = await holdParts(repository, manifest, call);
      const wanted = missing.filter((digest) => required?.has(digest));
      if (wanted.length > 0) throw new MissingReferences(wanted);
    },
    async holdParts(repository, manifest, call) {
      await holdParts(repository, manifest, call);
    },
  });
  const locks = new RepositoryLocks();
  const guard = tagGuardOn({ storage, tags, immutable });
  return {
    blobs: {
      ...blobs,
      unlink: (repository, digest, call) =>
        locks.removing(repository, call, () => blobs.unlink(repository, digest, call)),
    },
    uploads: uploadsOn(storage, clock, leases),
    manifests: {
      ...manifests,
      write,
      delete: (repository, digest, call) =>
        locks.removing(repository, call, async () => {
          await guard.checkDeletion(repository, digest, call);
          return manifests.delete(repository, digest, call);
        }),
    },
    tags: {
      ...tags,
      delete: (repository, tag, call) =>
        locks.removing(repository, call, async () => {
          await guard.checkUntagging(repository, tag, call);
          return tags.delete(repository, tag, call);
        }),
    },
    catalog: catalogOn(storage),
    referrers: referrersOn(storage, manifests),
    repositories: {
      summary: (repository, call) => summaryOf(repository, storage, call),
      delete: (repository, call) =>
        locks.removing(repository, call, async () => {
          await guard.checkRemoval(repository, call);
          return removeRepository(repository, { storage, leases, history }, call);
        }),
    },
  };

  async function write(repository: string, put: ManifestPut, call: ActorCall): Promise<Written> {
    if (guard.isNeeded(repository, put.tags)) {
      return await locks.removing(repository, call, async () => {
        await guard.checkPut(repository, put, call);
        const { settle, ...written } = await manifests.place(repository, put, call);
        await settle?.(call);
        return written;
      });
    }
    const placed = await locks.adding(repository, call, () =>
      manifests.place(repository, put, call),
    );
    const { settle, ...written } = placed;
    // Whoever ends all that goes on would leave what nobody was promised.
    const unstopped = { ...call, signal: AbortSignal.timeout(settleMs) };
    if (settle) await locks.removing(repository, unstopped, () => settle(unstopped));
    return written;
  }

  /** Also the subject, which need not be there: a signature must not lose what it signs. */
  async function holdParts(
    repository: string,
    manifest: Manifest,
    call: HoldCall,
  ): Promise<Digest[]> {
    const { subject } = manifest.content;
    if (subject !== undefined) await manifests.hold(repository, subject.digest, call);
    return holdReferences(repository, referencesOf(manifest), { blobs, manifests }, call);
  }
}
