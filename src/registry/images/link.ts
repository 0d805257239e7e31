import type { Call } from "../../base/call.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";

const maximumBytes = 256;

/**
 * The digest a link names. `undefined` when there is none, and when it is empty or broken, which is
 * what a power failure leaves of links that were not written whole (distribution/distribution#4489).
 */
export async function readLink(
  storage: StorageDriver,
  path: StoragePath,
  { signal }: Call,
): Promise<Digest | undefined> {
  try {
    const bytes = await storage.readWhole(path, { maximumBytes, signal });
    const text =
      bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString().trim();
    return text !== undefined && isDigest(text) ? text : undefined;
  } catch (error) {
    if (error instanceof StorageError && error.code === "TOO_LARGE") return undefined;
    throw error;
  }
}

export async function writeLink(
  storage: StorageDriver,
  path: StoragePath,
  digest: Digest,
  call: Call,
): Promise<void> {
  await storage.write(path, Buffer.from(digest), call);
}
