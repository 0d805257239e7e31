import { join, resolve } from "node:path";
import { ConfigError } from "../../base/errors.ts";
import { CacheError } from "../cache.ts";
import { parseCacheQuery, refuseUser, unescaped } from "./cache-url.ts";
import type { OpenCacheDriver } from "./driver.ts";
import { openFileCache } from "./file.ts";

/** `file://[/directory]`; without one `DEWY_CACHEDIR`, or else beside each app. */
export const openFileDriver: OpenCacheDriver = async (url, { environment, clock }) => {
  refuseUser(url, "write it as file:///directory");
  const query = parseCacheQuery(url, {});
  const path = unescaped(url.place);
  if (path !== "" && !path.startsWith("/")) {
    throw new ConfigError(`--cache: file://${path} has a host, and files are on this one`, {
      hint: `write it as file:///${path}`,
    });
  }
  const directory = path || environment.DEWY_CACHEDIR || undefined;
  return {
    name: `file://${directory ?? ""}`,
    registryTtlMs: query["registry-ttl"],
    directory,
    maximumBytes: query["max-size"],
    // Without a time to live nothing is shared, and no directory made for it.
    async openShared(sharedPath, wanted) {
      if (wanted?.entries) refuseElsewhere(sharedPath, directory);
      else if (query["registry-ttl"] === 0) return undefined;
      return await openFileCache(sharedPath, { clock });
    },
    close: async () => {},
  };
};

/** In a temporary place nobody would be met. */
function refuseElsewhere(sharedPath: string, directory: string | undefined): void {
  if (directory !== undefined && sharedPath === join(resolve(directory), "shared")) return;
  const message = `file://${directory ?? ""} cannot be used`;
  throw new CacheError("UNAVAILABLE", message, {
    hint: "make it writable, and start dewy again",
  });
}
