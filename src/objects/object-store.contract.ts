import { Readable } from "node:stream";
import { beforeEach, describe, expect, it } from "vitest";
import { collect, streamOf } from "../base/bytes.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { ObjectContent } from "./object-content.ts";
import type { Listed, ObjectStore, StoredObject } from "./object-store.ts";

/** A store, and how its bucket comes by its objects. */
export interface StoreSetting {
  store: ObjectStore;
  /** With `digest` as whoever uploads would leave it. */
  put(key: string, content: string, digest?: Digest): unknown;
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
      await expect(store.put("key", Buffer.of(), {}, { signal })).rejects.toBe(signal.reason);
      await expect(store.remove("key", { signal })).rejects.toBe(signal.reason);
    });

    it.each(["bytes", "a stream"])("stores %s, and what is known of them", async (form) => {
      const call = { signal: AbortSignal.timeout(10_000) };
      const text = Buffer.from("stored ü\r\n--");

      const put = await store.put("v1+2 ü/new.zip", contentOf(form, text), {}, call);

      const stat = await store.stat("v1+2 ü/new.zip", call);
      expect(stat).toMatchObject({ sizeBytes: text.length, digest: digestOf(text) });
      expect(put).toEqual({ version: stat?.version });
      const range = { version: put?.version ?? "", from: 0 };
      const opened = await store.open("v1+2 ü/new.zip", range, call);
      const bytes = await collect(opened?.bytes ?? streamOf(Buffer.of()), 100);
      expect(bytes.toString()).toBe(text.toString());
    });

    it.each([0, 3 * 1024 * 1024])("stores a stream of %i bytes", async (sizeBytes) => {
      const call = { signal: AbortSignal.timeout(10_000) };
      const chunk = Buffer.alloc(64 * 1024, "x");
      async function* chunks() {
        for (let sent = 0; sent < sizeBytes; sent += chunk.length) yield chunk;
      }

      await store.put("large", { bytes: chunks(), sizeBytes }, {}, call);

      expect(await store.stat("large", call)).toMatchObject({ sizeBytes, digest: undefined });
    });

    it("puts another object in the place of the one that was there", async ({ signal }) => {
      const first = await store.put("moving", Buffer.from("one"), {}, { signal });
      const second = await store.put("moving", Buffer.from("two"), {}, { signal });

      expect(second?.version).not.toBe(first?.version);
      expect((await store.stat("moving", { signal }))?.version).toBe(second?.version);
    });

    it("stores what is absent, once", async ({ signal }) => {
      const options = { ifVersion: "absent" };
      const first = await store.put("once", Buffer.from("one"), options, { signal });
      const second = await store.put("once", Buffer.from("two"), options, { signal });

      expect(first?.version).toBeTruthy();
      expect(second).toBeUndefined();
      expect((await store.stat("once", { signal }))?.version).toBe(first?.version);
    });

    it.each(["the first", "the next"])("lets one of many be %s", async (which) => {
      const call = { signal: AbortSignal.timeout(10_000) };
      const first = await store.put("race", Buffer.from("one"), {}, call);
      if (which === "the first") await store.remove("race", call);
      const ifVersion = which === "the first" ? "absent" : first?.version;

      // Ceph answers some of those that lose with an error of the server.
      const lost = ({ code }: { code?: string }) => void expect(code).toBe("UNAVAILABLE");
      const results = await Promise.all(
        ["a", "b", "c", "d"].map((text) =>
          store.put("race", Buffer.from(text), { ifVersion }, call).catch(lost),
        ),
      );

      const [winner, ...others] = results.filter((result) => result !== undefined);
      expect(winner).toBeDefined();
      expect(others).toEqual([]);
      expect((await store.stat("race", call))?.version).toBe(winner?.version);
    });

    it("replaces the version that was seen, and no other", async ({ signal }) => {
      const first = await store.put("state", Buffer.from("one"), {}, { signal });
      const seen = { ifVersion: first?.version };

      const second = await store.put("state", Buffer.from("two"), seen, { signal });
      const third = await store.put("state", Buffer.from("three"), seen, { signal });

      expect(second?.version).toBeTruthy();
      expect(third).toBeUndefined();
      expect((await store.stat("state", { signal }))?.version).toBe(second?.version);
    });

    it("does not bring back what was removed meanwhile", async ({ signal }) => {
      const first = await store.put("gone", Buffer.from("one"), {}, { signal });
      await store.remove("gone", { signal });

      const seen = { ifVersion: first?.version };

      expect(await store.put("gone", Buffer.from("two"), seen, { signal })).toBeUndefined();
      expect(await store.stat("gone", { signal })).toBeUndefined();
    });

    it("removes an object, and does nothing where there is none", async ({ signal }) => {
      await put("v1+2 ü&'.zip", "old");

      await store.remove("v1+2 ü&'.zip", { signal });
      await store.remove("v1+2 ü&'.zip", { signal });

      expect(await store.stat("v1+2 ü&'.zip", { signal })).toBeUndefined();
    });

    it.each([
      ["shorter", { bytes: streamOf(Buffer.from("123")), sizeBytes: 4 }],
      ["longer", { bytes: streamOf(Buffer.from("12345")), sizeBytes: 4 }],
      ["another", { bytes: streamOf(Buffer.from("1234")), sizeBytes: 4, digest: digestOf("4321") }],
    ])("keeps what was there when a stream is %s than was said", async (_how, content) => {
      const call = { signal: AbortSignal.timeout(10_000) };
      await put("kept", "old");
      const before = await store.stat("kept", call);

      const error = await store.put("kept", content, {}, call).catch((thrown) => thrown);

      expect(error).toMatchObject({ name: "ObjectContentError", code: "MISMATCH" });
      expect(await store.stat("kept", call)).toEqual(before);
    });

    it("fails as the stream that it was given does, and keeps nothing of it", async ({
      signal,
    }) => {
      const broken = new Error("the disk is broken");
      async function* failing() {
        yield Buffer.from("1");
        throw broken;
      }

      const content = { bytes: failing(), sizeBytes: 10 };

      await expect(store.put("broken", content, {}, { signal })).rejects.toBe(broken);
      expect(await store.stat("broken", { signal })).toBeUndefined();
    });

    it("lets go of a stream that it did not want", async ({ signal }) => {
      await put("taken", "old");
      const bytes = Readable.from([Buffer.from("1234")]);

      await store.put("taken", { bytes, sizeBytes: 4 }, { ifVersion: "absent" }, { signal });

      expect(bytes.destroyed).toBe(true);
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

const contentOf = (form: string, bytes: Buffer): ObjectContent =>
  form === "bytes"
    ? bytes
    : { bytes: streamOf(bytes), sizeBytes: bytes.length, digest: digestOf(bytes) };
