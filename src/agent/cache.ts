import type { Bytes } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import { DewyError } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { OpenedArtifact } from "./release.ts";

/** The smallest limit among the stores: Consul's for a value is 512 KiB, and some of it is ours. */
export const maximumEntryBytes = 500 * 1024;

export interface CacheEntry {
  value: Buffer;
  /** Another at each write. */
  version: string;
  /**
   * Since it was written: by the store's clock where it has one, else since this process first saw
   * this version. Hosts may disagree about what time it is, and must not about this.
   */
  ageMs: number;
}

/**
 * Small facts that several hosts share. Losing any of them costs only work, so a store may evict at
 * will; what one host runs is never kept here.
 *
 * Keys are plain names: letters, digits, `.`, `_` and `-`. Every wait has a deadline of the driver's
 * own beside the call. All failures are {@link CacheError}s, or the reason of the signal.
 */
export interface Cache {
  /** For logs and errors: the URL it was opened with, without secrets. */
  readonly name: string;
  /** Resolves to `undefined` when there is no such entry; throws only when the cache is broken. */
  read(key: string, call: Call): Promise<CacheEntry | undefined>;
  /**
   * Writes only where the entry still has the version `ifVersion`, or is `absent`, or in `any` case.
   * At the most {@link maximumEntryBytes}.
   *
   * @returns the new version; `undefined` when the condition did not hold, and nothing was written
   */
  write(
    key: string,
    value: Uint8Array,
    options: { ifVersion: string },
    call: Call,
  ): Promise<string | undefined>;
  /** Only where the store can hold files for others. */
  readonly artifacts: ArtifactCache | undefined;
  close(): Promise<void>;
}

/** Artifacts by digest, shared with others. What it hands out is not yet checked. */
export interface ArtifactCache {
  /** The longest it takes. */
  readonly maximumBytes: number;
  /** Begins at `from`, or at 0; `undefined` when it is not there. */
  open(digest: Digest, call: Call & { from: number }): Promise<OpenedArtifact | undefined>;
  /** Whether it is there, without opening it. */
  has(digest: Digest, call: Call): Promise<boolean>;
  /**
   * Appears whole or not at all; others make room for it, the least lately used first, as far as the
   * store knows when that was.
   */
  put(artifact: { digest: Digest; sizeBytes: number }, bytes: Bytes, call: Call): Promise<void>;
  /** Removing what is not there is no error. */
  remove(digest: Digest, call: Call): Promise<void>;
}

/** `TOO_LARGE` is what does not fit into the store, `INVALID_ANSWER` what no such store would say. */
export class CacheError extends DewyError<
  "UNAVAILABLE" | "UNAUTHORIZED" | "TOO_LARGE" | "INVALID_KEY" | "INVALID_ANSWER"
> {}

/** @throws {CacheError} `INVALID_KEY` or `TOO_LARGE` */
export function checkEntry(key: string, value?: Uint8Array): void {
  if (!/^[\w-][\w.-]{0,199}$/.test(key)) {
    throw new CacheError("INVALID_KEY", `not a key of a cache: ${JSON.stringify(key)}`);
  }
  if (value === undefined || value.length <= maximumEntryBytes) return;
  const message = `${value.length} bytes are more than the ${maximumEntryBytes} of a cache entry`;
  throw new CacheError("TOO_LARGE", message);
}
