import { randomBytes } from "node:crypto";
import { collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { ObjectStore, StoredObject } from "../../objects/object-store.ts";
import { type Cache, CacheError, checkEntry, maximumEntryBytes } from "../cache.ts";
import { objectArtifacts } from "./object-artifacts.ts";
import { inWords } from "./object-failure.ts";
import { observedAges } from "./observed-ages.ts";
import { storeClock } from "./store-clock.ts";

const attempts = 5;
/** Before each value: the version of an object may be the hash of its bytes. */
const nonceBytes = 16;
const remembered = 64;

export interface ObjectCacheOptions {
  name: string;
  store: ObjectStore;
  /** Empty, or ending in `/`. */
  prefix: string;
  maximumBytes: number;
}

/**
 * Shared by all who may write to a bucket:
 *
 * ```
 * <prefix>entries/<key>                    16 random bytes and the value
 * <prefix>artifacts/<algorithm>-<hex>
 * <prefix>clock
 * ```
 */
export function openObjectCache({ name, store, prefix, maximumBytes }: ObjectCacheOptions): Cache {
  const ages = observedAges();
  const clock = storeClock(store, `${prefix}clock`);
  const last = new Map<string, { version: string; value: Buffer }>();

  return {
    name,
    artifacts: objectArtifacts({ name, store, prefix, maximumBytes, clock }),

    async read(key, call) {
      checkEntry(key);
      return await inWords(name, call, async (limited) => {
        const found = await current(key, limited);
        if (found === undefined) return undefined;
        const { value, version, modifiedAt } = found;
        const ageMs = (await clock.nowMs(limited)) - modifiedAt.getTime();
        return { value, version, ageMs: Math.max(ageMs, ages.of(key, version)) };
      });
    },

    async write(key, value, { ifVersion }, call) {
      checkEntry(key, value);
      return await inWords(name, call, async (limited) => {
        const options = ifVersion === "any" ? {} : { ifVersion };
        const content = Buffer.concat([randomBytes(nonceBytes), value]);
        const written = await store.put(`${prefix}entries/${key}`, content, options, limited);
        return written?.version;
      });
    },

    close: async () => store.close(),
  };

  async function current(key: string, call: Call) {
    const path = `${prefix}entries/${key}`;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const stat = await store.stat(path, call);
      if (stat === undefined) return undefined;
      const value = await contentOf(key, stat, call);
      if (value) return { value, version: stat.version, modifiedAt: stat.modifiedAt };
    }
    throw new CacheError("UNAVAILABLE", `${name}: ${key} is being replaced all the time`);
  }

  /** An idle poll asks for the head alone. `undefined` when it was replaced since. */
  async function contentOf(
    key: string,
    { key: path, version, sizeBytes }: StoredObject,
    call: Call,
  ) {
    const known = last.get(key);
    if (known?.version === version) return known.value;
    if (sizeBytes > maximumEntryBytes + nonceBytes) return Buffer.alloc(0); // not one of ours
    const opened = await store.open(path, { version, from: 0 }, call);
    if (opened === undefined) return undefined;
    const content = await collect(opened.bytes, maximumEntryBytes + nonceBytes);
    const value = content.subarray(nonceBytes);
    last.delete(key);
    last.set(key, { version, value });
    const [oldest] = last.keys();
    if (oldest !== undefined && last.size > remembered) last.delete(oldest);
    return value;
  }
}
