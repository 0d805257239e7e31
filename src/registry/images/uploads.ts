import { randomUUID } from "node:crypto";
import { type Bytes, streamOf } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { algorithmOf, type Digest, type DigestAlgorithm } from "../../oci/digest.ts";
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
  at: number | undefined;
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
   * @throws {StorageError} `NO_SPACE`; the upload is gone then, too.
   */
  commit(
    repository: string,
    id: string,
    end: { digest: Digest; chunk: Chunk | undefined; verified?: (size: number) => void },
    call: Call,
  ): Promise<void>;
  cancel(repository: string, id: string, call: Call): Promise<void>;
}

export function uploadsOn(storage: StorageDriver, clock: Clock, leases: Leases): Uploads {
  const sessions = new UploadSessions();

  return {
    async begin(repository, { algorithm, signal }) {
      const id = randomUUID();
      const started = clock
        .now()
        .toISOString()
        .replace(/\.\d+Z$/, "Z");
      const source = streamOf(Buffer.from(started));
      await storage.append(uploadStartPath(repository, id), source, { at: 0, signal });
      sessions.remember(keyOf(repository, id), new RunningHash(algorithm));
      return { repository, id, size: 0 };
    },

    find,

    append: (repository, id, chunk, call) =>
      sessions.exclusively(keyOf(repository, id), async () =>
        receive(await find(repository, id, call), chunk, call),
      ),

    commit: (repository, id, { digest, chunk, verified }, call) =>
      sessions.exclusively(keyOf(repository, id), async () => {
        const found = await find(repository, id, call);
        try {
          const upload = await receive(found, chunk ?? nothing(), call);
          const actual = await digestOfUpload(upload, algorithmOf(digest), call);
          if (actual !== digest) throw mismatch(digest, actual);
          verified?.(upload.size);
          await publish(upload, digest, call);
        } catch (error) {
          if (isEnd(error)) await drop(found, call);
          throw error;
        }
        await drop(found, call);
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

  async function receive(upload: Upload, { source, at }: Chunk, { signal }: Call) {
    const { repository, id, size } = upload;
    if (at !== undefined && at !== size) {
      throw new OciError("RANGE_INVALID", `the upload ends at ${size}, the chunk begins at ${at}`);
    }
    const key = keyOf(repository, id);
    const hashed = sessions.hashAt(key, size)?.through(source) ?? source;
    const path = uploadDataPath(repository, id);
    try {
      return { ...upload, size: await storage.append(path, hashed, { at: size, signal }) };
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

  /** Data before link: killed in between, there are bytes nobody sees. A link to nothing is no blob. */
  async function publish({ repository, id }: Upload, digest: Digest, call: Call): Promise<void> {
    const data = { path: blobDataPath(digest), from: uploadDataPath(repository, id) };
    await storage.place([data, linkAt(layerLinkPath(repository, digest), digest)], call);
    // Its last byte may have come long ago, which a collection takes for its last use.
    await leases.renew(blobDataPath(digest), call);
  }
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

function nothing(): Chunk {
  return { source: streamOf(new Uint8Array()), at: undefined };
}

function mismatch(expected: Digest, actual: Digest): OciError {
  const why = `the bytes hash to ${actual}, not to ${expected}`;
  return new OciError("DIGEST_INVALID", why, { detail: expected });
}
