import { beforeEach, describe, expect, it } from "vitest";
import { collect, streamOf } from "../base/bytes.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { Listed, ObjectStore, StoredObject } from "./object-store.ts";

/** A store, and how its bucket comes by its objects. */
export interface StoreSetting {
  store: ObjectStore;
  /** With `digest` as whoever uploads would leave it. */
  put(key: string, content: string, digest?: Digest): void | Promise<void>;
}

/** What every object store must do. A driver's test calls this, then adds what only it promises. */
export function objectStoreContract(driver: string, set: () => Promise<StoreSetting>): void {
  describe(`${driver} is an ObjectStore`, () => {
    let { store, put }: StoreSetting = {} as StoreSetting;
    beforeEach(async () => {
      ({ store, put } = await set());
      return () => store.close();
    });

    it("lists one level, however many pages it takes", async ({ signal }) => {
      for (const version of ["v1.0.0", "v1.1.0", "v1.2.0"]) {
        await put(`app/${version}/one.zip`, "1");
        await put(`app/${version}/deep/two.zip`, "2");
      }
      await put("app/README", "read me");
      await put("apple/v9.9.9/one.zip", "1");

      const names = (await listed("app/", signal)).map(nameOf).sort();

      expect(names).toEqual(["app/README", "app/v1.0.0/", "app/v1.1.0/", "app/v1.2.0/"]);
    });

    it("lists the whole bucket's first level under an empty prefix", async ({ signal }) => {
      await put("v1.0.0/one.zip", "1");
      await put("top", "2");

      expect((await listed("", signal)).map(nameOf).sort()).toEqual(["top", "v1.0.0/"]);
    });

    it("lists nothing where there is nothing", async ({ signal }) => {
      expect(await listed("nowhere/", signal)).toEqual([]);
    });

    it("tells the same of an object by a listing as by its key", async ({ signal }) => {
      await put("v1+2 ü&'.zip", "0123456789");

      const [object] = await objects("", signal);
      const stat = await store.stat("v1+2 ü&'.zip", { signal });

      expect(object).toMatchObject({ key: "v1+2 ü&'.zip", sizeBytes: 10 });
      expect(stat).toMatchObject({ key: object?.key, sizeBytes: 10, version: object?.version });
      expect(Math.abs(Number(stat?.modifiedAt) - Number(object?.modifiedAt))).toBeLessThan(1001);
    });

    it("tells the digest that was left with an object", async ({ signal }) => {
      const digest = digestOf("content");
      await put("told", "content", digest);
      await put("untold", "content");

      expect((await store.stat("told", { signal }))?.digest).toBe(digest);
      expect((await store.stat("untold", { signal }))?.digest).toBeUndefined();
    });

    it("knows nothing of an object that is not there", async ({ signal }) => {
      const range = { version: "1", from: 0 };

      expect(await store.stat("nothing", { signal })).toBeUndefined();
      expect(await store.open("nothing", range, { signal })).toBeUndefined();
    });

    it.each([
      [0, 0, "0123456789"],
      [4, 4, "456789"],
      [10, 0, "0123456789"],
      [99, 0, "0123456789"],
    ])("opens from byte %i: begins at %i", async (wanted, from, content) => {
      const { signal } = new AbortController();
      await put("ten", "0123456789");
      const [object] = await objects("", signal);

      const range = { version: object?.version ?? "", from: wanted };
      const opened = await store.open("ten", range, { signal });

      expect(opened?.from).toBe(from);
      expect((await collect(opened?.bytes ?? streamOf(Buffer.of()), 100)).toString()).toBe(content);
    });

    it("hands out no other bytes than those that were listed", async ({ signal }) => {
      await put("moving", "one");
      const [before] = await objects("", signal);

      await put("moving", "two");
      const [after] = await objects("", signal);

      expect(after?.version).not.toBe(before?.version);
      const range = { version: before?.version ?? "", from: 0 };
      expect(await store.open("moving", range, { signal })).toBeUndefined();
    });

    it("stops when told to", async () => {
      const signal = AbortSignal.abort();

      await expect(listed("", signal)).rejects.toBe(signal.reason);
      await expect(store.stat("key", { signal })).rejects.toBe(signal.reason);
    });

    async function listed(prefix: string, signal: AbortSignal): Promise<Listed[]> {
      const entries: Listed[] = [];
      for await (const entry of store.list(prefix, { signal })) entries.push(entry);
      return entries;
    }

    async function objects(prefix: string, signal: AbortSignal): Promise<StoredObject[]> {
      const entries = await listed(prefix, signal);
      return entries.filter((entry): entry is StoredObject => "key" in entry);
    }
  });
}

const nameOf = (entry: Listed): string => ("key" in entry ? entry.key : entry.prefix);
