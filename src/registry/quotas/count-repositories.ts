import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { dataOf } from "../garbage/named.ts";
import { inParallel } from "../garbage/parallel.ts";
import { catalogOn } from "../images/catalog.ts";
import {
  blobDataPath,
  layerLinkPath,
  layersPath,
  revisionLinkPath,
  revisionsPath,
} from "../images/paths.ts";
import { storedDigests } from "../images/stored-digests.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import type { QuotaCount } from "./quota-count.ts";

/** Few, as pushes and pulls wait for the same disk. */
const parallel = 2;

/** Counts what the repositories of each quota have: blobs and manifests that they link to. */
export async function countRepositories(
  quotas: readonly QuotaCount[],
  storage: StorageDriver,
  call: Call,
): Promise<void> {
  for (const quota of quotas) quota.beginCount();
  for await (const repository of catalogOn(storage).walk(undefined, call)) {
    call.signal.throwIfAborted();
    const own = quotas.filter((quota) => quota.appliesTo(repository));
    if (own.length > 0) await countRepository(repository, own);
  }

  async function countRepository(repository: string, own: readonly QuotaCount[]): Promise<void> {
    const blobs = storedDigests(storage, layersPath(repository), call);
    await inParallel(blobs, { limit: parallel, ...call }, (digest) =>
      countOne(digest, layerLinkPath(repository, digest), own),
    );
    const manifests = storedDigests(storage, revisionsPath(repository), call);
    await inParallel(manifests, { limit: parallel, ...call }, (digest) =>
      countOne(digest, revisionLinkPath(repository, digest), own),
    );
  }

  async function countOne(
    digest: Digest,
    link: StoragePath,
    own: readonly QuotaCount[],
  ): Promise<void> {
    const missing = own.filter((quota) => !quota.isCounted(digest));
    if (missing.length === 0) return;
    const data = await dataOf(storage, digest, link, call);
    // The link last: a collection may be at work.
    const file = await storage.stat(blobDataPath(data), call);
    if (file === undefined || (await storage.stat(link, call)) === undefined) return;
    for (const quota of missing) quota.count(digest, file.size);
  }
}
