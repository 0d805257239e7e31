import { createHash, type Hash } from "node:crypto";
import type { Bytes } from "../../base/bytes.ts";
import { type Digest, type DigestAlgorithm, endDigest } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";

const maximumRemembered = 10_000;

/** What was hashed of an upload while it was received. */
export class RunningHash {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash;
  #size = 0;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** How many bytes have gone into it. */
  get size(): number {
    return this.#size;
  }

  async *through(source: Bytes): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#hash.update(chunk);
      this.#size += chunk.length;
      yield chunk;
    }
  }

  digest(): Digest {
    return endDigest(this.algorithm, this.#hash.copy());
  }
}

/**
 * The uploads this process is receiving: who writes to each, and the hash of what it has.
 *
 * Forgetting a hash costs reading the upload once more, so the oldest go when there are too many.
 */
export class UploadSessions {
  readonly #writing = new Set<string>();
  readonly #hashes = new Map<string, RunningHash>();

  /** Lets one request at a time write to the upload `key`. @throws {OciError} to the second one */
  async exclusively<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    if (this.#writing.has(key)) {
      throw new OciError("BLOB_UPLOAD_INVALID", "another request is writing to this upload", {
        status: 409,
      });
    }
    this.#writing.add(key);
    try {
      return await work();
    } finally {
      this.#writing.delete(key);
    }
  }

  remember(key: string, hash: RunningHash): void {
    this.#hashes.delete(key);
    this.#hashes.set(key, hash);
    const oldest = this.#hashes.keys().next();
    if (this.#hashes.size > maximumRemembered && !oldest.done) this.#hashes.delete(oldest.value);
  }

  /** The hash of exactly the first `size` bytes, where it is known. */
  hashAt(key: string, size: number): RunningHash | undefined {
    const hash = this.#hashes.get(key);
    return hash?.size === size ? hash : undefined;
  }

  /** How many bytes this process has received of it, where that is all. */
  sizeOf(key: string): number | undefined {
    return this.#hashes.get(key)?.size;
  }

  forget(key: string): void {
    this.#hashes.delete(key);
  }
}
