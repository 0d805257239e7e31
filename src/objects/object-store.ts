import type { Bytes } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import { DewyError, type ErrorDetails } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { ObjectContent } from "./object-content.ts";

/** What a bucket tells about one of its objects. */
export interface StoredObject {
  key: string;
  sizeBytes: number;
  modifiedAt: Date;
  /** Changes whenever the bytes do: S3's ETag, Cloud Storage's generation. */
  version: string;
  /** Of the whole object, where whoever stored it left one. */
  digest: Digest | undefined;
}

/** One line of a listing: an object, or what keys have in common up to the next `/`. */
export type Listed = StoredObject | { prefix: string };

/** The bytes of an object, beginning at `from`: 0 where the store cannot begin elsewhere. */
export interface OpenedObject {
  bytes: Bytes;
  from: number;
}

/** Which bytes of which version of an object. */
export interface ObjectRange {
  /** As it was listed: the bytes of another are not wanted. */
  version: string;
  from: number;
}

export interface PutOptions {
  /** `application/octet-stream` without. */
  contentType?: string | undefined;
  /**
   * Only where the object is in this version, or is not there: otherwise whatever is there goes. Of
   * two that write at the same moment one is refused, unless the server knows no conditional writes
   * (older ones that speak S3's protocol); and an old Ceph takes a version only with bytes, as it
   * has to be told twice. One that is refused may also be told so as `UNAVAILABLE`.
   */
  ifVersion?: string | "absent" | undefined;
}

/**
 * One bucket, as far as following releases and sharing what is known of them needs it. Every failure
 * is an {@link ObjectStoreError} or `HttpError`, and the reason of the signal as soon as it is aborted.
 */
export interface ObjectStore {
  /** Whether `list` tells digests; otherwise only `stat` does. */
  readonly listsDigests: boolean;
  /** The level under `prefix`, which is empty or ends in `/`; a page at a time, in no order. */
  list(prefix: string, call: Call): AsyncIterable<Listed>;
  /** `undefined` when there is no such object. */
  stat(key: string, call: Call): Promise<StoredObject | undefined>;
  /** `undefined` when there is no such object, or not in that version (any more). */
  open(key: string, range: ObjectRange, call: Call): Promise<OpenedObject | undefined>;
  /**
   * Stores an object: whole, or not at all. `undefined` when the condition does not hold (any more),
   * be it for what we wrote ourselves where the answer to that was lost.
   *
   * @throws {ObjectContentError} when the content is not what it was said to be, or too large
   */
  put(
    key: string,
    content: ObjectContent,
    options: PutOptions,
    call: Call,
  ): Promise<{ version: string } | undefined>;
  /** Does nothing when there is no such object. */
  remove(key: string, call: Call): Promise<void>;
  close(): void;
}

/** A page holds a thousand entries at the most, in both protocols. */
const maximumPages = 1000;

/** Every entry of a listing that comes in pages; each page names the token of the next one. */
export async function* pages(
  read: (
    token: string | undefined,
  ) => Promise<{ entries: Iterable<Listed>; next: string | undefined }>,
): AsyncGenerator<Listed> {
  let token: string | undefined;
  for (let page = 0; page < maximumPages; page++) {
    const { entries, next } = await read(token);
    yield* entries;
    if (!next) return;
    token = next;
  }
  throw new ObjectStoreError("INVALID_ANSWER", `a listing has more than ${maximumPages} pages`, {
    hint: "keep the releases under a prefix of their own, and name it in the URL",
  });
}

/** `retryAfterMs` is the time the store asked us to stay away. */
export class ObjectStoreError extends DewyError<
  "UNAVAILABLE" | "UNAUTHORIZED" | "NOT_FOUND" | "RATE_LIMITED" | "INVALID_ANSWER"
> {
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ObjectStoreError["code"],
    message: string,
    details: ErrorDetails & { retryAfterMs?: number | undefined } = {},
  ) {
    super(code, message, details);
    this.retryAfterMs = details.retryAfterMs;
  }
}
