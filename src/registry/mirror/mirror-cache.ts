import { dirname } from "node:path/posix";
import * as v from "valibot";
import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { openTurns } from "../../base/turns.ts";
import type { Digest } from "../../oci/digest.ts";
import { type ImageStore, imageStoreOn } from "../images/image-store.ts";
import { blobDataPath } from "../images/paths.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import { CacheIndex, type CachePlace } from "./cache-index.ts";
import { survey, unlink } from "./cache-survey.ts";

export interface MirrorCacheParts {
  /** Nobody else's: whatever is in it may be evicted. */
  storage: StorageDriver;
  clock: Clock;
  logger: Logger;
  /** How long what is not used stays; 0 for ever. */
  ttlMs: number;
  maximumBytes: number | undefined;
  /** Ends when the mirror is closed. */
  call: Call;
}

/** What was fetched, in Distribution's layout; the least recently used goes when it is too much. */
export interface MirrorCache {
  storage: StorageDriver;
  store: ImageStore;
  /** Notes that something is stored and was used just now. */
  used(digest: Digest, size: number, place: CachePlace): void;
  /** Keeps it from being evicted until the result is called. */
  pin(digest: Digest): () => void;
  /** Evicts until `size` more bytes fit, which then are kept free until the result is called. */
  makeRoom(size: number, call: Call): Promise<() => void>;
  /** Evicts `size` bytes, as there is no room for them on the medium; `false` when nothing could go. */
  giveWay(size: number, call: Call): Promise<boolean>;
  /** Evicts what has not been used for the ttl, and what is too much. */
  tidy(call: Call): Promise<void>;
  /** Ends when what an earlier process has stored is known. */
  surveyed: Promise<void>;
  close(call: Call): Promise<void>;
}

const Uses = v.record(v.string(), v.number());
const usesPath: StoragePath = "/uses.json";
const maximumUsesBytes = 256 * 1024 * 1024;

export function openMirrorCache(parts: MirrorCacheParts): MirrorCache {
  const { storage, clock, logger, ttlMs, maximumBytes, call } = parts;
  const store = imageStoreOn(storage, { clock, validation: undefined });
  const index = new CacheIndex();
  const inTurn = openTurns();
  let reserved = 0;
  let isSurveyed = false;

  const surveyed = takeStock().catch((error: unknown) => {
    if (!isEchoOf(call.signal, error)) logger.error("the mirror's cache cannot be read", { error });
  });

  return {
    storage,
    store,
    surveyed,
    used: (digest, size, place) => index.keep(digest, size, place, clock.now().getTime()),
    pin: (digest) => index.pin(digest),

    async makeRoom(size, roomCall) {
      reserved += size;
      await inTurn(() => shrink(roomCall)).catch((error: unknown) => {
        reserved -= size;
        throw error;
      });
      let isHeld = true;
      return () => {
        if (isHeld) reserved -= size;
        isHeld = false;
      };
    },

    giveWay: (size, wayCall) => inTurn(() => free(size, wayCall)),

    async tidy(tidyCall) {
      await inTurn(() => expire(tidyCall));
      await inTurn(() => shrink(tidyCall));
      await writeUses(tidyCall);
    },

    async close(closeCall) {
      await surveyed;
      if (isSurveyed) await writeUses(closeCall); // otherwise the older ones are better
    },
  };

  async function takeStock(): Promise<void> {
    const uses = new Map(Object.entries(await readUses()));
    await survey({ storage, store, index, clock, uses }, call);
    isSurveyed = true;
    logger.debug("mirror's cache is known", { bytes: index.bytes });
  }

  async function expire(expiryCall: Call): Promise<void> {
    if (ttlMs === 0) return;
    const before = clock.now().getTime() - ttlMs;
    for (;;) {
      const digest = index.leastUsed(before);
      if (digest === undefined) return;
      await evict(digest, expiryCall);
    }
  }

  async function shrink(shrinkCall: Call): Promise<void> {
    while (index.bytes + reserved > (maximumBytes ?? Number.POSITIVE_INFINITY)) {
      const digest = index.leastUsed();
      if (digest === undefined) return; // everything there is being served: it goes afterwards
      await evict(digest, shrinkCall);
    }
  }

  async function free(size: number, freeCall: Call): Promise<boolean> {
    const before = index.bytes;
    for (let digest = index.leastUsed(); digest !== undefined; digest = index.leastUsed()) {
      if (before - index.bytes >= size) break;
      await evict(digest, freeCall);
    }
    return index.bytes < before;
  }

  /** Names before bytes: killed in between, there are bytes nobody sees, never a name of nothing. */
  async function evict(digest: Digest, evictCall: Call): Promise<void> {
    evictCall.signal.throwIfAborted();
    const places = index.placesOf(digest);
    index.forget(digest);
    for (const place of places) await unlink(store, place, digest, evictCall);
    await storage.discard(dirname(blobDataPath(digest)) as StoragePath, evictCall);
  }

  async function readUses(): Promise<v.InferOutput<typeof Uses>> {
    const bytes = await storage.readWhole(usesPath, { ...call, maximumBytes: maximumUsesBytes });
    if (bytes === undefined) return {};
    try {
      return v.parse(Uses, JSON.parse(Buffer.from(bytes).toString()));
    } catch {
      return {}; // then each was used when it was stored
    }
  }

  async function writeUses(writeCall: Call): Promise<void> {
    const uses = JSON.stringify(Object.fromEntries(index.uses()));
    await storage.write(usesPath, Buffer.from(uses), writeCall);
  }
}
