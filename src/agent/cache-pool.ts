import { type CacheDriver, type CacheParts, openCache } from "./caches/index.ts";

/** The caches of a process: apps that name the same one share it. */
export interface CachePool {
  /** `undefined` is the default. @throws {ConfigError} for a URL that cannot be meant */
  of(url: string | undefined): Promise<CacheDriver>;
  close(): Promise<void>;
}

export function openCachePool(parts: CacheParts): CachePool {
  const opened = new Map<string, Promise<CacheDriver>>();
  return {
    of(url = "") {
      const driver = opened.get(url) ?? openCache(url, parts);
      opened.set(url, driver);
      return driver;
    },
    async close() {
      const drivers = await Promise.allSettled(opened.values());
      await Promise.all(
        drivers.map(async (driver) => driver.status === "fulfilled" && driver.value.close()),
      );
    },
  };
}
