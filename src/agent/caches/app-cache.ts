import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { type Cache, CacheError } from "../cache.ts";
import { type ArtifactStore, openArtifactStore } from "../deploy/artifact-store.ts";
import { openSharedArtifacts, type SharedArtifacts } from "../deploy/shared-artifacts.ts";
import type { ReleaseRegistry } from "../release.ts";
import { openCacheDirectory } from "./cache-directory.ts";
import type { CacheDriver } from "./driver.ts";
import { type Outage, sharedRegistry } from "./shared-registry.ts";

export interface AppCacheOptions {
  cache: CacheDriver;
  /** The app's, as it was opened; it stays the caller's to close. */
  registry: ReleaseRegistry;
  /** The app's directory, which holds `.dewy/`. */
  root: string;
  /** Names this host to the others. */
  host: string;
  logger: Logger;
  /** Whether this app has more to tell others than what it has fetched. */
  sharesEntries?: boolean;
}

/** What one app makes of a cache. */
export interface AppCache {
  /** What this host has fetched. */
  store: ArtifactStore;
  /**
   * The registry, asked once for all who share the cache where the URL has a `registry-ttl`; its
   * `outage` then says that answers are old.
   */
  registry: ReleaseRegistry & { readonly outage?: Outage | undefined };
  /** For `fetchArtifact`, where the cache can hold artifacts. */
  shared: SharedArtifacts | undefined;
  /** For what hosts tell one another; `undefined` when it could not be opened. */
  entries: Cache | undefined;
  /** Before the driver's `close`. */
  close(): Promise<void>;
}

/** Makes the directories of one app. What a cache cannot do is said in the log, and done without. */
export async function openAppCache(options: AppCacheOptions): Promise<AppCache> {
  const { cache: driver, registry, root, host, logger, sharesEntries = false } = options;
  const { maximumBytes, registryTtlMs } = driver;
  const place = await openCacheDirectory({ chosen: driver.directory, root, logger });
  const limit = maximumBytes === undefined ? {} : { maximumBytes };
  const store = await openArtifactStore(place.path, logger, limit);
  const wanted = { entries: sharesEntries };
  const cache = await openShared(() => driver.openShared(place.sharedPath, wanted), driver, logger);
  const artifacts = cache && openSharedArtifacts({ cache, registry, logger });
  if (maximumBytes === 0) await store.prune([]);

  return {
    store,
    shared: artifacts,
    entries: cache,
    registry:
      cache && registryTtlMs > 0
        ? sharedRegistry(registry, { cache, ttlMs: registryTtlMs, logger, host })
        : registry,
    async close() {
      await artifacts?.close();
      if (maximumBytes === 0) await store.prune([]);
      await place.close();
    },
  };
}

async function openShared(
  open: () => Promise<Cache | undefined>,
  driver: CacheDriver,
  logger: Logger,
): Promise<Cache | undefined> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    const reason = messageOf(error);
    logger.warn("Nothing is shared by the cache", { cache: driver.name, reason, hint: error.hint });
    return undefined;
  }
}
