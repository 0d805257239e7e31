import { ConfigError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { parseCacheUrl } from "./cache-url.ts";
import { openConsulDriver } from "./consul.ts";
import type { CacheDriver, CacheParts, OpenCacheDriver } from "./driver.ts";
import { openFileDriver } from "./file-driver.ts";
import { openMemoryDriver } from "./memory.ts";
import { openGcsDriver, openS3Driver } from "./object-driver.ts";
import { openRedisDriver } from "./redis.ts";

export { type AppCache, type AppCacheOptions, openAppCache } from "./app-cache.ts";
export type { CacheDriver, CacheParts } from "./driver.ts";
export { type Outage, type SharedRegistry, sharedRegistry } from "./shared-registry.ts";

const drivers: Record<string, OpenCacheDriver> = {
  file: openFileDriver,
  memory: openMemoryDriver,
  redis: openRedisDriver,
  rediss: openRedisDriver,
  consul: openConsulDriver,
  s3: openS3Driver,
  gs: openGcsDriver,
};

/**
 * Opens the cache that `--cache` names, `file://` without one, for all apps of this process; each of
 * them then calls `openAppCache`. Nothing is asked of it yet, and nothing is made on disk.
 *
 * @throws {ConfigError} in one line, for whatever is wrong with the URL
 */
export async function openCache(url: string | undefined, parts: CacheParts): Promise<CacheDriver> {
  const parsed = parseCacheUrl(url || "file://");
  const { scheme } = parsed;
  const open = Object.hasOwn(drivers, scheme) ? drivers[scheme] : undefined;
  if (open) return await open(parsed, parts);
  const known = Object.keys(drivers);
  const meant = aliases[scheme] ?? nearest(scheme, known);
  throw new ConfigError(`--cache: there is no cache ${scheme}://`, {
    hint: meant ? `write ${meant}:// instead` : `choose from: ${known.join("://, ")}://`,
  });
}

/** What people call them. */
const aliases: Record<string, string | undefined> = {
  gcs: "gs",
  valkey: "redis",
  valkeys: "rediss",
};
