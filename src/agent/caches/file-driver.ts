import { ConfigError } from "../../base/errors.ts";
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
    openShared: async (sharedPath) =>
      query["registry-ttl"] > 0 ? await openFileCache(sharedPath, { clock }) : undefined,
    close: async () => {},
  };
};
