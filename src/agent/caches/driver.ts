import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { HttpClient } from "../../base/http-client.ts";
import type { Cache } from "../cache.ts";
import type { CacheUrl } from "./cache-url.ts";

/** What a driver is given to work with. */
export interface CacheParts {
  http: HttpClient;
  clock: Clock;
  environment: Environment;
}

/** What a cache URL has opened, for all apps of this process. */
export interface CacheDriver {
  /** For logs and errors: without secrets. */
  name: string;
  /** How long the registry's answer is shared; 0 when it is not. */
  registryTtlMs: number;
  /** Where this host keeps what it has fetched; `undefined` is beside each app. */
  directory: string | undefined;
  /** The most that one app keeps there; 0 keeps nothing beyond its deployment. */
  maximumBytes: number | undefined;
  /**
   * What is shared with others; `sharedPath` is the place for that on this host's disk. Where that is
   * all that it would be for, it is opened only when `entries` are wanted.
   */
  openShared(sharedPath: string, wanted?: { entries: boolean }): Promise<Cache | undefined>;
  close(): Promise<void>;
}

/** Asks nothing of the store yet. @throws {ConfigError} */
export type OpenCacheDriver = (url: CacheUrl, parts: CacheParts) => Promise<CacheDriver>;

/** A driver whose store is the same for all apps, with the local directory in its usual place. */
export function remoteDriver(
  cache: Cache,
  registryTtlMs: number,
  { environment }: CacheParts,
): CacheDriver {
  return {
    name: cache.name,
    registryTtlMs,
    directory: environment.DEWY_CACHEDIR || undefined,
    maximumBytes: undefined,
    openShared: async () => cache,
    close: () => cache.close(),
  };
}
