import { createHash, type Hash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { uptime } from "node:os";
import type { Call } from "../../base/call.ts";
import { type Digest, type DigestAlgorithm, endDigest } from "../../oci/digest.ts";

/** A file that grows from its beginning, and knows the hash of what it holds. */
export interface PartialFile {
  /** How many bytes it holds. */
  readonly sizeBytes: number;
  append(chunk: Uint8Array): Promise<void>;
  /** Begins again from nothing. */
  reset(): Promise<void>;
  /** The digest of all it holds. */
  digest(): Digest;
  sync(): Promise<void>;
  remove(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the file at `path`, with what an earlier run has left in it, which is hashed again.
 *
 * What is left from before this boot is dropped when `trusted` is false: after a power failure the
 * size of a file may have survived without its bytes, and without a digest nobody would notice.
 */
export async function openPartialFile(
  path: string,
  { algorithm, trusted }: { algorithm: DigestAlgorithm; trusted: boolean },
  { signal }: Call,
): Promise<PartialFile> {
  const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  const handle = await open(path, flags, 0o600);
  let hash = createHash(algorithm);
  let sizeBytes = 0;
  try {
    const { mtimeMs } = await handle.stat();
    if (!trusted && mtimeMs < Date.now() - uptime() * 1000) await handle.truncate(0);
    sizeBytes = await hashInto(hash, path, signal);
  } catch (error) {
    await handle.close();
    throw error;
  }

  return {
    get sizeBytes() {
      return sizeBytes;
    },
    async append(chunk) {
      await writeAt(handle, chunk, sizeBytes);
      hash.update(chunk);
      sizeBytes += chunk.length;
    },
    async reset() {
      await handle.truncate(0);
      hash = createHash(algorithm);
      sizeBytes = 0;
    },
    digest: () => endDigest(algorithm, hash.copy()),
    sync: () => handle.sync(),
    remove: () => rm(path, { force: true }),
    close: () => handle.close(),
  };
}

async function hashInto(hash: Hash, path: string, signal: AbortSignal): Promise<number> {
  let size = 0;
  for await (const chunk of createReadStream(path, { signal })) {
    hash.update(chunk);
    size += chunk.length;
  }
  return size;
}

async function writeAt(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let offset = 0;
  while (offset < chunk.length) {
    const length = chunk.length - offset;
    const { bytesWritten } = await handle.write(chunk, offset, length, position + offset);
    offset += bytesWritten;
  }
}
