/** What the query of a cache URL says beyond where the cache is. */
export interface CacheOptions {
  /** How long the registry's answer is shared; 0 when it is not. */
  registryTtlMs: number;
  /** The most this host keeps on its disk, where the URL speaks of that. */
  maximumBytes: number | undefined;
}
