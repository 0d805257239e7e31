import type { Bytes } from "../../base/bytes.ts";
import { type Call, orAborted } from "../../base/call.ts";
import { type Clock, isWithin } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Blob, Blobs } from "../images/blobs.ts";
import { type ReadRange, StorageError } from "../storage-driver.ts";
import { readDirectly } from "./direct-blob.ts";
import { Download, type Wanted } from "./download.ts";
import type { KnownSizes } from "./known-sizes.ts";
import type { MirrorCache } from "./mirror-cache.ts";
import type { MirrorCounts } from "./mirror-counts.ts";
import { isAbsence } from "./stale.ts";
import type { Place } from "./upstream.ts";

export interface MirroredBlobsParts {
  cache: MirrorCache;
  /** Where pushed content is, and what a mirror of Distribution's has left. */
  own: Blobs;
  sizes: KnownSizes;
  counts: MirrorCounts;
  clock: Clock;
  logger: Logger;
  call: Call;
}

/** How long after a failure the storage is not tried again. */
const storagePauseMs = 30_000;

export interface MirroredBlobs {
  find(place: Place, digest: Digest, call: Call): Promise<Blob | undefined>;
  /** Resolves when no download is under way any more. */
  ended(): Promise<void>;
}

export function mirroredBlobs(parts: MirroredBlobsParts): MirroredBlobs {
  const { cache, own, sizes, counts, clock, logger } = parts;
  const downloads = new Map<string, Download>();
  let storageFailedMs = Number.NEGATIVE_INFINITY;

  return {
    async find(place, digest, call) {
      const { repository } = place;
      counts.blob.requests++;
      const stored =
        (await stillStored(place, digest, call)) ?? (await own.find(repository, digest, call));
      if (stored !== undefined) {
        counts.blob.hits++;
        return stored;
      }
      counts.blob.misses++;
      const size = await sizeOf(place, digest, call);
      if (size === undefined) return undefined;
      const wanted = { place, digest, expectedSize: size };
      return blobOf(size, (range, readCall) => readMissing(wanted, range, readCall));
    },

    async ended() {
      await Promise.allSettled([...downloads.values()].map(({ done }) => done));
    },
  };

  async function stillStored(place: Place, digest: Digest, call: Call): Promise<Blob | undefined> {
    const { repository } = place;
    const blob = await cache.store.blobs.find(repository, digest, call);
    if (blob === undefined) return undefined;
    cache.used(digest, blob.size, { repository, kind: "blob" });
    const wanted = { place, digest, expectedSize: blob.size };
    return blobOf(blob.size, (range, readCall) => readStored(blob, wanted, range, readCall));
  }

  /** Asks for it where no manifest has told. */
  async function sizeOf(place: Place, digest: Digest, call: Call): Promise<number | undefined> {
    const known = downloads.get(keyOf(place, digest))?.size ?? sizes.of(place.repository, digest);
    if (known !== undefined) return await orAborted(Promise.resolve(known), call.signal);
    const found = await place.upstream
      .ask(call, (client) => client.statBlob(place.remote, digest, call))
      .catch((error: unknown) => {
        if (isAbsence(error)) return undefined;
        throw error;
      });
    if (found === undefined || found.size !== undefined) return found?.size;
    const download = downloadOf({ place, digest, expectedSize: undefined });
    return await orAborted(download.size, call.signal);
  }

  async function* readStored(
    blob: Blob,
    wanted: Wanted,
    range: Required<ReadRange>,
    call: Call,
  ): AsyncGenerator<Uint8Array> {
    const release = cache.pin(wanted.digest);
    try {
      const bytes = await blob.open(range, call).catch((error: unknown) => {
        if (!(error instanceof StorageError && error.code === "NOT_FOUND")) throw error;
        return readMissing(wanted, range, call); // it was evicted a moment ago
      });
      yield* counted(bytes);
    } finally {
      release();
    }
  }

  async function* readMissing(
    wanted: Wanted,
    range: Required<ReadRange>,
    call: Call,
  ): AsyncGenerator<Uint8Array> {
    let isBegun = false;
    try {
      const pause = { limitMs: storagePauseMs, sinceMs: storageFailedMs };
      if (isWithin(pause, clock)) throw storageFails();
      for await (const chunk of counted(downloadOf(wanted).read(range, call))) {
        isBegun = true;
        yield chunk;
      }
      return;
    } catch (error) {
      if (isBegun || !(error instanceof StorageError)) throw error;
    }
    yield* counted(readDirectly(wanted, range, call));
  }

  function downloadOf(wanted: Wanted): Download {
    const key = keyOf(wanted.place, wanted.digest);
    const joined = downloads.get(key);
    if (joined !== undefined) return joined;
    const download = new Download(wanted, parts);
    downloads.set(key, download);
    void settled(key, wanted, download);
    return download;
  }

  async function settled(key: string, wanted: Wanted, { done, size }: Download): Promise<void> {
    try {
      await done;
      counts.blob.pulledBytes += await size;
    } catch (error) {
      sizes.forget(wanted.place.repository, wanted.digest); // it may be why
      if (error instanceof StorageError) pauseStorage(error);
    } finally {
      downloads.delete(key);
    }
    const room = await cache.makeRoom(0, parts.call).catch(() => () => {});
    room();
  }

  function pauseStorage(error: StorageError): void {
    logger.error("the mirror cannot store what it fetches", { error });
    storageFailedMs = clock.now().getTime();
  }

  async function* counted(bytes: Bytes): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      counts.blob.pushedBytes += chunk.length;
      yield chunk;
    }
  }
}

function keyOf({ repository }: Place, digest: Digest): string {
  return `${repository}@${digest}`;
}

function storageFails(): StorageError {
  return new StorageError("UNAVAILABLE", "the mirror's storage failed a moment ago");
}

/**
 * The first bytes are waited for before the answer begins, so that a client still hears of a registry
 * that cannot be reached.
 */
function blobOf(
  size: number,
  read: (range: Required<ReadRange>, call: Call) => AsyncGenerator<Uint8Array>,
): Blob {
  return {
    size,
    async open({ from = 0, to = size }, call) {
      const bytes = read({ from, to }, call);
      const first = await bytes.next();
      return (async function* () {
        try {
          if (first.done) return;
          yield first.value;
          yield* bytes;
        } finally {
          await bytes.return(undefined);
        }
      })();
    },
  };
}
