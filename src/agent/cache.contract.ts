import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collect, streamOf } from "../base/bytes.ts";
import { digestOf } from "../oci/digest.ts";
import { type ArtifactCache, type Cache, maximumEntryBytes } from "./cache.ts";

/** What every cache must do; `open` opens it on the same, at first empty, store each time. */
export function cacheContract(driver: string, prepare: () => Promise<() => Promise<Cache>>): void {
  describe(`${driver} is a Cache`, () => {
    const opened: Cache[] = [];
    let open: () => Promise<Cache>;
    let cache: Cache;
    beforeEach(async () => {
      open = await prepare();
      cache = await another();
    });
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close();
    });

    it("reads back what was written, and how old it is", async ({ signal }) => {
      const value = Buffer.from([0, 1, 0xff, 0x0d, 0x0a]);

      const version = await cache.write("tags-1", value, { ifVersion: "absent" }, { signal });

      const entry = await cache.read("tags-1", { signal });
      expect(entry?.value.equals(value)).toBe(true);
      expect(entry?.version).toBe(version);
      expect(entry?.ageMs).toBeGreaterThanOrEqual(0);
      expect(entry?.ageMs).toBeLessThan(15_000);
    });

    it("knows nothing of what was never written", async ({ signal }) => {
      await cache.write("tags-1", Buffer.from("x"), { ifVersion: "any" }, { signal });

      expect(await cache.read("tags", { signal })).toBeUndefined();
    });

    it("writes only where nobody else has", async ({ signal }) => {
      const other = await another();
      const first = await cache.write("k", Buffer.from("1"), { ifVersion: "absent" }, { signal });
      const late = await other.write("k", Buffer.from("2"), { ifVersion: "absent" }, { signal });
      const next = await other.write("k", Buffer.from("3"), { ifVersion: `${first}` }, { signal });
      const stale = await cache.write("k", Buffer.from("4"), { ifVersion: `${first}` }, { signal });
      const forced = await cache.write("k", Buffer.from("5"), { ifVersion: "any" }, { signal });

      expect([late, stale]).toEqual([undefined, undefined]);
      expect(new Set([first, next, forced, undefined]).size).toBe(4);
      expect((await other.read("k", { signal }))?.value.toString()).toBe("5");
    });

    it("lets one of many win", async ({ signal }) => {
      const own = () => new AbortController(); // many on one signal would be warned of
      const caches = [cache, await another(), await another()];
      for (const ifVersion of ["absent", "the last"]) {
        const version = (await cache.read("k", { signal }))?.version ?? ifVersion;
        const wishes = Array.from({ length: 12 }, (_, index) =>
          (caches[index % 3] ?? cache).write(
            "k",
            Buffer.from(`${index}`),
            { ifVersion: version },
            own(),
          ),
        );

        const won = (await Promise.all(wishes)).filter((outcome) => outcome !== undefined);

        expect(won).toHaveLength(1);
        expect((await cache.read("k", { signal }))?.version).toBe(won[0]);
      }
    });

    it("holds as much as an entry may have, and no more", async ({ signal }) => {
      const largest = Buffer.alloc(maximumEntryBytes, 0xa5);
      await cache.write("k", largest, { ifVersion: "any" }, { signal });

      expect((await cache.read("k", { signal }))?.value.equals(largest)).toBe(true);
      const larger = Buffer.alloc(maximumEntryBytes + 1);
      await expect(
        cache.write("k", larger, { ifVersion: "any" }, { signal }),
      ).rejects.toMatchObject({ name: "CacheError", code: "TOO_LARGE" });
    });

    it("refuses what is no plain name", async ({ signal }) => {
      const refused = { name: "CacheError", code: "INVALID_KEY" };
      for (const key of ["../escape", "a/b", "", ".", "k@1", "x".repeat(201)]) {
        await expect(cache.read(key, { signal })).rejects.toMatchObject(refused);
        await expect(
          cache.write(key, Buffer.from("x"), { ifVersion: "any" }, { signal }),
        ).rejects.toMatchObject(refused);
      }
    });

    it("stops when told to", async () => {
      const signal = AbortSignal.abort();

      await expect(cache.read("k", { signal })).rejects.toMatchObject({ name: "AbortError" });
      await expect(
        cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal }),
      ).rejects.toMatchObject({ name: "AbortError" });
    });

    async function another(): Promise<Cache> {
      const one = await open();
      opened.push(one);
      return one;
    }
  });
}

/** What a cache that holds artifacts must do; `open` is given the most it may hold in all. */
export function artifactCacheContract(
  driver: string,
  prepare: () => Promise<(maximumBytes: number) => Promise<Cache>>,
): void {
  describe(`${driver} holds artifacts`, () => {
    const large = Buffer.alloc(2_500_000, "0123456789abcdef");

    it("hands out what was put, from anywhere", async ({ signal }) => {
      const artifacts = await open();
      const digest = digestOf(large);

      await put(artifacts, large, signal);

      expect(await artifacts.has(digest, { signal })).toBe(true);
      for (const from of [0, 1, 1_048_576, 2_499_999]) {
        const opened = await artifacts.open(digest, { signal, from });
        const bytes = await collect(opened?.bytes ?? streamOf(Buffer.of()), large.length);
        expect(bytes.equals(large.subarray(opened?.from))).toBe(true);
      }
    });

    it("has nothing that was not put, or was removed", async ({ signal }) => {
      const artifacts = await open();
      const digest = digestOf("small");
      const before = await artifacts.open(digest, { signal, from: 0 });
      await put(artifacts, Buffer.from("small"), signal);
      await artifacts.remove(digest, { signal });
      await artifacts.remove(digest, { signal });

      expect(before).toBeUndefined();
      expect(await artifacts.open(digest, { signal, from: 0 })).toBeUndefined();
      expect(await artifacts.has(digest, { signal })).toBe(false);
    });

    it("shows nothing of what broke off while it was put", async ({ signal }) => {
      const artifacts = await open();
      const digest = digestOf(large);

      const result = artifacts.put({ digest, sizeBytes: large.length }, broken(), { signal });

      await expect(result).rejects.toThrow();
      expect(await artifacts.has(digest, { signal })).toBe(false);
    });

    it("makes room for a new one, and keeps the new one", async ({ signal }) => {
      const artifacts = await open(5_000_000);
      const contents = ["a", "b", "c"].map((letter) => Buffer.alloc(2_000_000, letter));
      for (const content of contents) {
        await put(artifacts, content, signal);
        // stores tell times to the second
        if (content !== contents.at(-1)) await new Promise((resolve) => setTimeout(resolve, 1_100));
      }

      const found = contents.map((content) => artifacts.has(digestOf(content), { signal }));

      expect(await Promise.all(found)).toEqual([false, true, true]);
    });

    async function open(maximumBytes = 1024 ** 3): Promise<ArtifactCache> {
      const cache = await (await prepare())(maximumBytes);
      if (cache.artifacts === undefined) throw new Error(`${driver} holds no artifacts`);
      return cache.artifacts;
    }

    async function* broken() {
      yield large.subarray(0, 1_500_000);
      throw new Error("the disk broke");
    }
  });
}

async function put(artifacts: ArtifactCache, content: Buffer, signal: AbortSignal): Promise<void> {
  const artifact = { digest: digestOf(content), sizeBytes: content.length };
  await artifacts.put(artifact, streamOf(content), { signal });
}
