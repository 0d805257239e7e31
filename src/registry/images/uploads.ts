import { randomUUID } from "node:crypto";
import { type Bytes, firstBytesOf, streamOf } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { algorithmOf, type Digest, type DigestAlgorithm, digestOf } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { type StorageDriver, StorageError } from "../storage-driver.ts";
import type { Leases } from "./leases.ts";
import { linkAt } from "./link.ts";
import {
  blobDataPath,
  layerLinkPath,
  uploadDataPath,
  uploadPath,
  uploadStartPath,
} from "./paths.ts";
import { RunningHash, UploadSessions } from "./upload-sessions.ts";

export interface Upload {
  repository: string;
  id: string;
  /** How many bytes have been received. */
  size: number;
}

/** Bytes on their way in. With `at`, they must begin exactly where the upload ends. */
export interface Chunk {
  source: Bytes;
  /** Nobody else has these bytes; see `AppendCall`. */
  areOurs?: boolean;
  at: number | undefined;
}

export interface UploadEnd {
  digest: Digest;
  chunk: Chunk | undefined;
  verified?: (size: number) => void;
}

/**
 * Receives blobs, in one piece or in many. Unless said otherwise each method throws `OciError`
 * `BLOB_UPLOAD_UNKNOWN` when there is no such upload, `RANGE_INVALID` when a chunk begins elsewhere
 * than at its end (the upload stays), and 409 while another request writes to it.
 */
export interface Uploads {
  begin(repository: string, call: Call & { algorithm: DigestAlgorithm }): Promise<Upload>;
  find(repository: string, id: string, call: Call): Promise<Upload>;
  /** Keeps what was received when the chunk breaks off. */
  append(repository: string, id: string, chunk: Chunk, call: Call): Promise<Upload>;
  /**
   * Ends the upload and makes it a blob of the repository; resolves when that is durable. `verified`
   * is called before that, as soon as it has the right digest, and may refuse it by `DENIED`.
   *
   * @throws {OciError} `DIGEST_INVALID` when the bytes are others, or what `verified` throws; the upload is gone then.
   * @throws {StorageError} `NO_SPACE`, or `UNAVAILABLE` when a collection has just taken the blob; the
   * upload is gone then, too.
   */
  commit(repository: string, id: string, end: UploadEnd, call: Call): Promise<void>;
  cancel(repository: string, id: string, call: Call): Promise<void>;
}

const mostAtOnceBytes = 64 * 1024;

export function uploadsOn(storage: StorageDriver, clock: Clock, leases: Leases): Uploads {
  const sessions = new UploadSessions();

  return {
    async begin(repository, { algorithm, signal }) {
      const id = randomUUID();
      const started = clock
        .now()
        .toISOString()
        .replace(/\.\d+Z$/, "Z");
      await storage.extend(uploadStartPath(repository, id), Buffer.from(started), { signal });
      sessions.remember(keyOf(repository, id), new RunningHash(algorithm));
      return { repository, id, size: 0 };
    },

    find,

    append: (repository, id, chunk, call) =>
      sessions.exclusively(keyOf(repository, id), async () =>
        receive(await known(repository, id, call), chunk, call),
      ),

    commit: (repository, id, end, call) =>
      sessions.exclusively(keyOf(repository, id), async () => {
        const found = await known(repository, id, call);
        try {
          await publish(found, end, await wholeOf(found, end, call), call);
        } catch (error) {
          if (isEnd(error)) await drop(found, call);
          throw error;
        }
        sessions.forget(keyOf(repository, id));
      }),

    cancel: (repository, id, call) =>
      sessions.exclusively(keyOf(repository, id), async () => {
        await find(repository, id, call);
        await storage.delete(uploadPath(repository, id), call);
        sessions.forget(keyOf(repository, id));
      }),
  };

  /** Distribution creates `data` with the first byte, so `startedat` alone is an empty upload. */
  async function find(repository: string, id: string, call: Call): Promise<Upload> {
    const data = await storage.stat(uploadDataPath(repository, id), call);
    const known = data ?? (await storage.stat(uploadStartPath(repository, id), call));
    if (known === undefined) {
      throw new OciError("BLOB_UPLOAD_UNKNOWN", "there is no such upload", { detail: { id } });
    }
    return { repository, id, size: data?.size ?? 0 };
  }

  /** What this process has received itself need not be looked for; `receive` notices what has gone. */
  async function known(repository: string, id: string, call: Call): Promise<Upload> {
    const size = sessions.sizeOf(keyOf(repository, id));
    return size === undefined ? find(repository, id, call) : { repository, id, size };
  }

  async function receive(upload: Upload, chunk: Chunk, call: Call): Promise<Upload> {
    try {
      return await added(upload, chunk, call);
    } catch (error) {
      if (!isElsewhere(error)) throw error;
      // Another process has added to it, or ended it.
      return await added(await find(upload.repository, upload.id, call), chunk, call);
    }
  }

  async function added(upload: Upload, chunk: Chunk, { signal }: Call): Promise<Upload> {
    const { repository, id, size } = upload;
    checkRange(upload, chunk);
    const { source, areOurs } = chunk;
    const key = keyOf(repository, id);
    const hashed = sessions.hashAt(key, size)?.through(source) ?? source;
    const path = uploadDataPath(repository, id);
    try {
      return { ...upload, size: await storage.append(path, hashed, { at: size, areOurs, signal }) };
    } catch (error) {
      // What was hashed is not all in the file then: it may even come again with other bytes.
      if (error instanceof StorageError) sessions.forget(key);
      throw error;
    }
  }

  async function drop({ repository, id }: Upload, call: Call): Promise<void> {
    await storage.discard(uploadPath(repository, id), call);
    sessions.forget(keyOf(repository, id));
  }

  async function digestOfUpload(
    { repository, id, size }: Upload,
    wanted: DigestAlgorithm,
    call: Call,
  ) {
    const known = sessions.hashAt(keyOf(repository, id), size);
    if (known?.algorithm === wanted) return known.digest();
    const hash = new RunningHash(wanted);
    const bytes = await storage.read(uploadDataPath(repository, id), call);
    for await (const _chunk of hash.through(bytes)) call.signal.throwIfAborted();
    return hash.digest();
  }

  /** The whole blob with the right digest: its bytes where it is small, or its size in the upload. */
  async function wholeOf(
    found: Upload,
    { digest, chunk }: UploadEnd,
    call: Call,
  ): Promise<Uint8Array | number> {
    const left = await beginningOf(found, chunk, digest);
    if (left instanceof Uint8Array) return left;
    const upload = await receive(found, left, call);
    const actual = await digestOfUpload(upload, algorithmOf(digest), call);
    if (actual !== digest) throw mismatch(digest, actual);
    return upload.size;
  }

  /** Data before link: killed in between, there are bytes nobody sees. A link to nothing is no blob. */
  async function publish(
    { repository, id }: Upload,
    { digest, verified }: UploadEnd,
    whole: Uint8Array | number,
    call: Call,
  ): Promise<void> {
    const isInUpload = typeof whole === "number";
    verified?.(isInUpload ? whole : whole.length);
    const path = blobDataPath(digest);
    const data = isInUpload ? { from: uploadDataPath(repository, id) } : { bytes: whole };
    const link = linkAt(layerLinkPath(repository, digest), digest);
    // Its last byte may have come long ago, which a collection takes for its last use.
    const then = { touch: [path], discard: uploadPath(repository, id) };
    const [size] = await storage.place([{ path, ...data }, link], { ...call, ...then });
    if (size !== undefined || (await leases.renew(path, call))) return;
    // Its last use was long ago until now, and a full disk keeps nothing of what is collected.
    sessions.forget(keyOf(repository, id));
    throw new StorageError("UNAVAILABLE", `a collection has taken ${digest} at this moment`, {
      hint: "push it again",
    });
  }
}

/**
 * The bytes of a blob that comes in one small piece, as configurations do, which need no file of the
 * upload; of any other the chunk as it was. Another process may have received what comes before it.
 */
async function beginningOf(
  { size }: Upload,
  chunk: Chunk | undefined,
  digest: Digest,
): Promise<Uint8Array | Chunk> {
  if (chunk === undefined) return { source: streamOf(new Uint8Array()), at: undefined };
  if (size > 0 || (chunk.at ?? 0) > 0) return chunk;
  const { bytes, rest } = await firstBytesOf(chunk.source, mostAtOnceBytes);
  if (rest !== undefined) return { ...chunk, source: rest };
  if (digestOf(bytes, algorithmOf(digest)) === digest) return bytes;
  return { ...chunk, source: streamOf(bytes) };
}

function checkRange({ size }: Upload, { at }: Chunk): void {
  if (at === undefined || at === size) return;
  throw new OciError("RANGE_INVALID", `the upload ends at ${size}, the chunk begins at ${at}`);
}

/** There is not what this process knows of; nothing was taken of the chunk. */
function isElsewhere(error: unknown): boolean {
  return (
    (error instanceof OciError && error.code === "RANGE_INVALID") ||
    (error instanceof StorageError && ["INVALID_OFFSET", "NOT_FOUND"].includes(error.code))
  );
}

function keyOf(repository: string, id: string): string {
  return `${repository}/${id}`;
}

/** After the wrong bytes, too many, or on a full disk that the upload itself fills, nobody can go on. */
function isEnd(error: unknown): boolean {
  return (
    (error instanceof OciError && ["DIGEST_INVALID", "DENIED"].includes(error.code)) ||
    (error instanceof StorageError && error.code === "NO_SPACE")
  );
}

function mismatch(expected: Digest, actual: Digest): OciError {
  const why = `the bytes hash to ${actual}, not to ${expected}`;
  return new OciError("DIGEST_INVALID", why, { detail: expected });
}
