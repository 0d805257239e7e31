import type { Call } from "../../base/call.ts";
import { type Digest, isDigest, isDigestAlgorithm } from "../../oci/digest.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";

/** The digests that have a directory `<algorithm>/<hex>` below `path`, in no order. */
export async function* storedDigests(
  storage: StorageDriver,
  path: StoragePath,
  call: Call,
): AsyncGenerator<Digest> {
  for await (const algorithm of storage.list(path, call)) {
    if (!isDigestAlgorithm(algorithm)) continue;
    for await (const hex of storage.list(`${path}/${algorithm}`, call)) {
      const digest = `${algorithm}:${hex}`;
      if (isDigest(digest)) yield digest;
    }
  }
}
