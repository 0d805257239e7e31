import { createHash } from "node:crypto";
import type { Call } from "../../base/call.ts";
import { algorithmOf, type Digest, endDigest, hexOf, isDigest } from "../../oci/digest.ts";
import { blobDataPath, blobsPath } from "../images/paths.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";

export interface ScrubOptions {
  /** Moves rotten blobs to `/dewy/rotten`, so that the next push brings good ones. */
  setAside: boolean;
  tell(found: { digest: Digest; actual: Digest | undefined }): void;
}

export interface ScrubTotals {
  blobs: number;
  bytes: number;
  rotten: number;
}

/** Reads every blob and compares it with its name. Changes nothing unless told to. */
export async function scrub(
  storage: StorageDriver,
  { setAside, tell }: ScrubOptions,
  call: Call,
): Promise<ScrubTotals> {
  const totals = { blobs: 0, bytes: 0, rotten: 0 };
  for await (const digest of storedBlobs(storage, call)) {
    call.signal.throwIfAborted();
    const read = await digestOfFile(storage, blobDataPath(digest), digest, call);
    if (read === "gone") continue;
    totals.blobs++;
    totals.bytes += read.bytes;
    if (read.actual === digest) continue;
    totals.rotten++;
    tell({ digest, actual: read.actual });
    if (setAside) await putAside(storage, digest, call);
  }
  return totals;
}

/** Somebody may have pushed good bytes while the rotten ones were read: those go back. */
async function putAside(storage: StorageDriver, digest: Digest, call: Call): Promise<void> {
  const place: StoragePath = `/dewy/rotten/${algorithmOf(digest)}/${hexOf(digest)}`;
  if (!(await storage.setAside(blobDataPath(digest), place, call))) return;
  const read = await digestOfFile(storage, place, digest, call);
  if (read !== "gone" && read.actual === digest) {
    await storage.setAside(place, blobDataPath(digest), call);
  }
}

async function* storedBlobs(storage: StorageDriver, call: Call): AsyncGenerator<Digest> {
  for (const algorithm of ["sha256", "sha512"] as const) {
    for await (const prefix of storage.list(blobsPath(algorithm), call)) {
      if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
      for await (const hex of storage.list(blobsPath(algorithm, prefix), call)) {
        const digest = `${algorithm}:${hex}`;
        if (isDigest(digest)) yield digest;
      }
    }
  }
}

/** `actual` is `undefined` where the medium cannot be read. */
async function digestOfFile(
  storage: StorageDriver,
  path: StoragePath,
  digest: Digest,
  call: Call,
): Promise<"gone" | { actual: Digest | undefined; bytes: number }> {
  const hash = createHash(algorithmOf(digest));
  let bytes = 0;
  try {
    for await (const chunk of await storage.read(path, call)) {
      call.signal.throwIfAborted();
      hash.update(chunk);
      bytes += chunk.length;
    }
    return { actual: endDigest(algorithmOf(digest), hash), bytes };
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code === "NOT_FOUND") return "gone";
    return { actual: undefined, bytes };
  }
}
