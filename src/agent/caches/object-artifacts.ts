import type { Call } from "../../base/call.ts";
import type { ObjectStore, StoredObject } from "../../objects/object-store.ts";
import type { Digest } from "../../oci/digest.ts";
import { type ArtifactCache, CacheError } from "../cache.ts";
import { cacheErrorFrom, inWords } from "./object-failure.ts";
import type { StoreClock } from "./store-clock.ts";

const monthMs = 30 * 86_400_000;
/** How many objects are looked at when room is made; what is beyond is for the next time. */
const maximumListed = 10_000;
/** What S3 and Cloud Storage take in one request. */
const largestBytes = 5 * 1024 ** 3;

export interface ObjectArtifactsOptions {
  name: string;
  store: ObjectStore;
  prefix: string;
  maximumBytes: number;
  clock: StoreClock;
}

/** Artifacts as objects. When one was last used no bucket tells: the oldest make room. */
export function objectArtifacts(options: ObjectArtifactsOptions): ArtifactCache {
  const { name, store, prefix, clock } = options;
  const maximumBytes = Math.min(largestBytes, options.maximumBytes);

  return {
    maximumBytes,

    async has(digest, call) {
      return (await inWords(name, call, (each) => store.stat(pathOf(digest), each))) !== undefined;
    },

    async open(digest, { signal, from }) {
      const path = pathOf(digest);
      const stat = await inWords(name, { signal }, (each) => store.stat(path, each));
      if (stat === undefined) return undefined;
      try {
        // By the whole call: what is read from it goes on after it was opened.
        return await store.open(path, { version: stat.version, from }, { signal });
      } catch (error) {
        throw cacheErrorFrom(name, error);
      }
    },

    async put({ digest, sizeBytes }, bytes, call) {
      if (sizeBytes > maximumBytes) {
        const message = `${name} takes no artifact of more than ${maximumBytes} bytes`;
        throw new CacheError("TOO_LARGE", message);
      }
      const path = pathOf(digest);
      try {
        await store.put(path, { bytes, sizeBytes, digest }, {}, call);
        await makeRoom(path, sizeBytes, call);
      } catch (error) {
        throw cacheErrorFrom(name, error);
      }
    },

    async remove(digest, call) {
      await inWords(name, call, (each) => store.remove(pathOf(digest), each));
    },
  };

  function pathOf(digest: Digest): string {
    return `${prefix}artifacts/${digest.replace(":", "-")}`;
  }

  async function makeRoom(newest: string, newestBytes: number, call: Call): Promise<void> {
    const others = (await listed(`${prefix}artifacts/`, call))
      .filter(({ key }) => key !== newest)
      .sort((a, b) => b.modifiedAt.getTime() - a.modifiedAt.getTime());
    let total = newestBytes;
    for (const { key, sizeBytes } of others) {
      total += sizeBytes;
      if (total > options.maximumBytes) await store.remove(key, call);
    }
    const nowMs = await clock.nowMs(call);
    for (const { key, modifiedAt } of await listed(`${prefix}entries/`, call)) {
      if (nowMs - modifiedAt.getTime() > monthMs) await store.remove(key, call);
    }
  }

  async function listed(directory: string, call: Call): Promise<StoredObject[]> {
    const objects: StoredObject[] = [];
    for await (const entry of store.list(directory, call)) {
      if ("key" in entry) objects.push(entry);
      if (objects.length === maximumListed) break;
    }
    return objects;
  }
}
