import type { Call } from "../../base/call.ts";
import { algorithmOf, type Digest, digestOf } from "../../oci/digest.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import type { Leases } from "./leases.ts";
import { readOwnLink } from "./link.ts";
import { blobDataPath } from "./paths.ts";

/**
 * Renews the link at `path`, whose name is `digest`, and what it names; brings back either when it
 * was collected. Resolves to what it names, or `undefined` when that or the link is nowhere, or empty.
 */
export async function holdLinked(
  path: StoragePath,
  digest: Digest,
  { storage, leases }: { storage: StorageDriver; leases: Leases },
  call: Call,
): Promise<Digest | undefined> {
  if (algorithmOf(digest) === "sha256") {
    const [link, size] = await leases.renewPresent([path, blobDataPath(digest)], call);
    if (link === digest.length && size !== undefined && !isEmptied({ size }, digest)) {
      return digest;
    }
  }
  if (!(await leases.renew(path, call))) return undefined;
  const data = await readOwnLink(storage, path, digest, call);
  if (data === undefined || !(await leases.renew(blobDataPath(data), call))) return undefined;
  const [size] = await leases.renewPresent([blobDataPath(data)], call);
  return size === undefined || isEmptied({ size }, data) ? undefined : data;
}

/** What a power failure left of a blob that was not written whole: the next push brings its bytes. */
export function isEmptied({ size }: { size: number }, digest: Digest): boolean {
  return size === 0 && digest !== digestOf("", algorithmOf(digest));
}
