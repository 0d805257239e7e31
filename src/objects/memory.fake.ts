import { collect, streamOf } from "../base/bytes.ts";
import type { Digest } from "../oci/digest.ts";
import { digestOfContent, sendContent } from "./object-content.ts";
import type { Listed, ObjectStore, StoredObject } from "./object-store.ts";

const maximumBytes = 16 * 1024 * 1024;

export interface MemoryObject extends StoredObject {
  content: Buffer;
}

/** What a bucket holds, in the order of its keys; the fake servers serve it too. */
export interface MemoryBucket {
  objects: ReadonlyMap<string, MemoryObject>;
  put(key: string, content: string | Buffer, digest?: Digest): MemoryObject;
  /** Whether an object is in `version`, or not there for `absent`; always for none. */
  holds(key: string, version: string | undefined): boolean;
  delete(key: string): void;
  /** The level under `prefix`, in order; a name is the key or the common prefix. */
  level(prefix: string): { name: string; object: MemoryObject | undefined }[];
}

export function openMemoryBucket(): MemoryBucket {
  const objects = new Map<string, MemoryObject>();
  let generation = 0;

  return {
    objects,

    put(key, text, digest) {
      const content = typeof text === "string" ? Buffer.from(text) : text;
      const modifiedAt = new Date("2026-01-01T00:00:00Z");
      const version = `${++generation}`;
      const object = { key, content, sizeBytes: content.length, modifiedAt, version, digest };
      objects.set(key, object);
      return object;
    },

    holds(key, version) {
      if (version === undefined) return true;
      return (objects.get(key)?.version ?? "absent") === version;
    },

    delete: (key) => objects.delete(key),

    level(prefix) {
      const names = [...objects.keys()]
        .filter((key) => key.startsWith(prefix))
        .map((key) => {
          const end = key.indexOf("/", prefix.length);
          return end < 0 ? key : key.slice(0, end + 1);
        });
      return [...new Set(names)]
        .sort()
        .map((name) => ({ name, object: name.endsWith("/") ? undefined : objects.get(name) }));
    },
  };
}

/** Keeps nothing: a store over a bucket in memory. */
export function openMemoryStore(bucket: MemoryBucket): ObjectStore {
  return {
    listsDigests: true,

    async *list(prefix, { signal }): AsyncGenerator<Listed> {
      signal.throwIfAborted();
      for (const { name, object } of bucket.level(prefix)) {
        yield object ?? { prefix: name };
      }
    },

    async stat(key, { signal }) {
      signal.throwIfAborted();
      return bucket.objects.get(key);
    },

    async open(key, { version, from }, { signal }) {
      signal.throwIfAborted();
      const object = bucket.objects.get(key);
      if (object?.version !== version) return undefined;
      const start = from < object.sizeBytes ? from : 0;
      return { bytes: streamOf(object.content.subarray(start)), from: start };
    },

    async put(key, content, { ifVersion }, { signal }) {
      signal.throwIfAborted();
      const bytes = await sendContent(key, content, async (body) =>
        body instanceof Uint8Array ? Buffer.from(body) : collect(body, maximumBytes),
      );
      if (!bucket.holds(key, ifVersion)) return undefined;
      return { version: bucket.put(key, bytes, digestOfContent(content)).version };
    },

    async remove(key, { signal }) {
      signal.throwIfAborted();
      bucket.delete(key);
    },

    close() {},
  };
}
