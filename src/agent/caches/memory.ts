import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { ConfigError } from "../../base/errors.ts";
import { type Cache, checkEntry } from "../cache.ts";
import { parseCacheQuery, refuseUser } from "./cache-url.ts";
import type { OpenCacheDriver } from "./driver.ts";

/** As many registries and tags as one process may follow; the least lately written are forgotten. */
const maximumEntries = 256;

/** `memory://`: no artifact is kept beyond its deployment, nor an answer beyond this process. */
export const openMemoryDriver: OpenCacheDriver = async (url, { clock }) => {
  refuseUser(url, "write it as memory://");
  const { place, query } = url;
  if (place !== "" || query.has("max-size")) {
    const what = place === "" ? "max-size in its query" : `place ${place}`;
    throw new ConfigError(`--cache: memory:// takes no ${what}`, {
      hint: "leave it out: nothing is kept",
    });
  }
  const cache = openMemoryCache({ clock });
  return {
    name: cache.name,
    registryTtlMs: parseCacheQuery(url, {})["registry-ttl"],
    directory: undefined,
    maximumBytes: 0,
    openShared: async () => cache,
    close: () => cache.close(),
  };
};

/** Shared by the apps of one process. */
export function openMemoryCache({ clock }: { clock: Clock }): Cache {
  const entries = new Map<string, { value: Buffer; version: string; atMs: number }>();

  return {
    name: "memory://",
    artifacts: undefined,

    async read(key, { signal }) {
      signal.throwIfAborted();
      checkEntry(key);
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      const { value, version, atMs } = entry;
      return { value, version, ageMs: Math.max(0, clock.now().getTime() - atMs) };
    },

    async write(key, value, { ifVersion }, { signal }) {
      signal.throwIfAborted();
      checkEntry(key, value);
      const current = entries.get(key)?.version ?? "absent";
      if (ifVersion !== "any" && ifVersion !== current) return undefined;
      entries.delete(key);
      const [oldest] = entries.keys();
      if (oldest !== undefined && entries.size >= maximumEntries) entries.delete(oldest);
      const version = randomUUID();
      entries.set(key, { value: Buffer.from(value), version, atMs: clock.now().getTime() });
      return version;
    },

    async close() {
      entries.clear();
    },
  };
}
