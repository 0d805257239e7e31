import type { Call } from "../../base/call.ts";
import { algorithmOf, type Digest, isDigest } from "../../oci/digest.ts";
import {
  type Placement,
  type SmallFiles,
  type StorageDriver,
  StorageError,
  type StoragePath,
} from "../storage-driver.ts";

const maximumBytes = 256;
const readAtOnce = 200;

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
    return linkIn(bytes);
  } catch (error) {
    if (error instanceof StorageError && error.code === "TOO_LARGE") return undefined;
    throw error;
  }
}

/** The same for many. */
export async function readLinks(
  storage: StorageDriver,
  paths: readonly StoragePath[],
  { signal }: Call,
): Promise<(Digest | undefined)[]> {
  const links: (Digest | undefined)[] = [];
  for (let begin = 0; begin < paths.length; begin += readAtOnce) {
    const some = paths.slice(begin, begin + readAtOnce);
    const all = await storage.readEach(some, { maximumBytes, signal });
    links.push(...all.map(linkIn));
  }
  return links;
}

/** For `PlaceStep`: what is read is for `linkIn`. */
export function linksAt(paths: readonly StoragePath[]): SmallFiles {
  return { paths, maximumBytes };
}

/** As `readLink`. */
export function linkIn(bytes: Uint8Array | undefined): Digest | undefined {
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString().trim();
  return isDigest(text) ? text : undefined;
}

/**
 * The same for a link whose name is `digest`, by its length alone where that is enough: only
 * Distribution's links of sha512 name another digest than their own.
 */
export async function readOwnLink(
  storage: StorageDriver,
  path: StoragePath,
  digest: Digest,
  call: Call,
): Promise<Digest | undefined> {
  if (algorithmOf(digest) === "sha512") return readLink(storage, path, call);
  const file = await storage.stat(path, call);
  return file?.size === digest.length ? digest : readLink(storage, path, call);
}

export function linkAt(path: StoragePath, digest: Digest): Placement {
  return { path, bytes: Buffer.from(digest) };
}
