import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bytes, streamOf } from "../base/bytes.ts";
import type { StorageDriver, StoragePath } from "./storage-driver.ts";
import { namesOf, textOf } from "./stored-text.fake.ts";

/** What every storage driver must do. A driver's own test calls this, then adds its own promises. */
export function storageDriverContract(name: string, open: () => Promise<StorageDriver>): void {
  describe(`${name} is a StorageDriver`, () => {
    let storage: StorageDriver;
    beforeEach(async () => {
      storage = await open();
    });
    afterEach(() => storage.close());

    it("reads back what was written", async ({ signal }) => {
      await storage.write("/a/b/link", Buffer.from("sha256:abc"), { signal });

      expect(await textOf(await storage.read("/a/b/link", { signal }))).toBe("sha256:abc");
    });

    it("replaces a file", async ({ signal }) => {
      await storage.write("/a", Buffer.from("longer than the next"), { signal });
      await storage.write("/a", Buffer.from("short"), { signal });

      expect(await textOf(await storage.read("/a", { signal }))).toBe("short");
    });

    it.each([
      [{ from: 2 }, "234567"],
      [{ from: 2, to: 5 }, "234"],
      [{ from: 0, to: 1 }, "0"],
      [{ from: 8 }, ""],
    ])("reads only %j", async (range, expected) => {
      const { signal } = new AbortController();
      await storage.append("/a", chunks("012", "345", "67"), { at: 0, signal });

      expect(await textOf(await storage.read("/a", { ...range, signal }))).toBe(expected);
    });

    it("refuses to read past the end, or what is not there", async ({ signal }) => {
      await storage.write("/a", Buffer.from("abc"), { signal });

      await expect(storage.read("/a", { from: 4, signal })).rejects.toMatchObject({
        code: "INVALID_OFFSET",
      });
      await expect(storage.read("/b", { signal })).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(storage.read("/a/b", { signal })).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    it("reads small files whole, and no larger ones", async ({ signal }) => {
      await storage.write("/a", Buffer.alloc(10_000, "x"), { signal });

      const whole = await storage.readWhole("/a", { maximumBytes: 10_000, signal });

      expect(whole?.length).toBe(10_000);
      expect(await storage.readWhole("/b", { maximumBytes: 10, signal })).toBeUndefined();
      for (const maximumBytes of [100, 9_999]) {
        await expect(storage.readWhole("/a", { maximumBytes, signal })).rejects.toMatchObject({
          code: "TOO_LARGE",
        });
      }
    });

    it("tells the size and the time of a file", async ({ signal }) => {
      await storage.write("/a", Buffer.from("abc"), { signal });

      const file = await storage.stat("/a", { signal });

      expect(file).toEqual({ size: 3, modified: expect.any(Date) });
      expect(await storage.stat("/b", { signal })).toBeUndefined();
    });

    it("lists the names directly below", async ({ signal }) => {
      for (const path of ["/t/v1/link", "/t/v2/a/link", "/t/v2/b", "/x"] satisfies StoragePath[]) {
        await storage.write(path, Buffer.from("x"), { signal });
      }

      expect((await namesOf(storage.list("/t", { signal }))).sort()).toEqual(["v1", "v2"]);
      expect(await namesOf(storage.list("/nowhere", { signal }))).toEqual([]);
    });

    it("sets a file aside, over another one, and leaves no directory behind", async ({
      signal,
    }) => {
      await storage.write("/blobs/ab/data", Buffer.from("x"), { signal });
      await storage.write("/trash/deep/ab", Buffer.from("old"), { signal });
      const before = await storage.stat("/blobs/ab/data", { signal });

      expect(await storage.setAside("/blobs/ab/data", "/trash/deep/ab", { signal })).toBe(true);
      expect(await storage.setAside("/blobs/ab/data", "/trash/other", { signal })).toBe(false);

      expect(await namesOf(storage.list("/blobs", { signal }))).toEqual([]);
      expect(await namesOf(storage.list("/trash", { signal }))).toEqual(["deep"]);
      expect(await storage.stat("/trash/deep/ab", { signal })).toEqual(before);
    });

    it("keeps what is beside the file that is set aside", async ({ signal }) => {
      await storage.write("/a/one", Buffer.from("x"), { signal });
      await storage.write("/a/two", Buffer.from("x"), { signal });

      await storage.setAside("/a/one", "/b/one", { signal });

      expect(await namesOf(storage.list("/a", { signal }))).toEqual(["two"]);
    });

    it("sets a directory aside with all below it", async ({ signal }) => {
      await storage.write("/a/v1/one/link", Buffer.from("x"), { signal });

      expect(await storage.setAside("/a/v1/one", "/b/one", { signal })).toBe(true);
      expect(await storage.setAside("/a/v1/one", "/b/one", { signal })).toBe(false);

      expect(await namesOf(storage.list("/a", { signal }))).toEqual([]);
      expect(await namesOf(storage.list("/b/one", { signal }))).toEqual(["link"]);
    });

    it("sets a file aside that is alone in its directory, once", async ({ signal }) => {
      const alone = { alone: true, signal };
      for (const content of ["old", "new"]) {
        await storage.write("/a/ab/data", Buffer.from(content), { signal });

        expect(await storage.setAside("/a/ab/data", "/t/deep/ab/data", alone)).toBe(true);
        expect(await storage.setAside("/a/ab/data", "/t/deep/ab/data", alone)).toBe(false);

        expect(await namesOf(storage.list("/a/ab", { signal }))).toEqual([]);
        expect(await textOf(await storage.read("/t/deep/ab/data", { signal }))).toBe(content);
      }
      await storage.write("/a/ab/data", Buffer.from("newest"), { signal });

      expect(await storage.setAside("/t/deep/ab/data", "/a/ab/data", { signal })).toBe(true);

      expect(await textOf(await storage.read("/a/ab/data", { signal }))).toBe("new");
    });

    it("finds nothing below a file, and sets nothing aside from there", async ({ signal }) => {
      await storage.write("/a/ab", Buffer.from("x"), { signal });

      expect(await storage.stat("/a/ab/data", { signal })).toBeUndefined();
      expect(await storage.setAside("/a/ab/data", "/b/ab/data", { signal })).toBe(false);
    });

    it("writes into directories that are taken away again and again", async ({ signal }) => {
      for (let round = 0; round < 50; round++) {
        await storage.append("/from", chunks("x"), { at: 0, signal });
        await Promise.all([
          storage.write("/a/ab/data", Buffer.from("x"), { signal }),
          storage.place([{ path: "/a/cd/data", from: "/from" }], { signal }),
          storage.setAside("/a/ab/data", "/t/ab/data", { signal, alone: true }),
          storage.setAside("/a/cd/data", "/t/cd", { signal }),
        ]);
      }
    });

    it("makes the time of files the present", async ({ signal }) => {
      await storage.write("/a", Buffer.from("x"), { signal });
      const before = (await storage.stat("/a", { signal }))?.modified.getTime() ?? 0;
      while (Date.now() <= before + 1) await new Promise((resolve) => setImmediate(resolve));

      expect(await storage.touch(["/a", "/b"], { signal })).toEqual([1, undefined]);

      const after = (await storage.stat("/a", { signal }))?.modified.getTime() ?? 0;
      expect(after).toBeGreaterThan(before);
      expect(await textOf(await storage.read("/a", { signal }))).toBe("x");
    });

    it.each(["delete", "discard"] as const)("%ss files and whole directories", async (way) => {
      const { signal } = new AbortController();
      await storage.write("/t/v1/link", Buffer.from("x"), { signal });
      await storage.write("/t/v10/link", Buffer.from("x"), { signal });

      await storage[way]("/t/v1", { signal });
      await storage[way]("/t/v1", { signal });

      expect(await namesOf(storage.list("/t", { signal }))).toEqual(["v10"]);
    });

    it("discards a file with the directory that it is alone in, and no other", async ({
      signal,
    }) => {
      for (const path of ["/t/ab/one", "/t/cd/one", "/t/cd/two"] as const) {
        await storage.write(path, Buffer.from("x"), { signal });
      }

      await storage.discard("/t/ab/one", { alone: true, signal });
      await storage.discard("/t/cd/one", { alone: true, signal });

      expect(await namesOf(storage.list("/t", { signal }))).toEqual(["cd"]);
      expect(await namesOf(storage.list("/t/cd", { signal }))).toEqual(["two"]);
    });

    it.each(["/../etc/passwd", "/a/../b", "/a//b", "/a/./b", "/", "/a/", "/a\0b"] as const)(
      "refuses the path %j",
      async (path) => {
        const { signal } = new AbortController();
        const refusal = { code: "INVALID_PATH" };

        await expect(storage.write(path, Buffer.from("x"), { signal })).rejects.toMatchObject(
          refusal,
        );
        await expect(storage.read(path, { signal })).rejects.toMatchObject(refusal);
        await expect(storage.delete(path, { signal })).rejects.toMatchObject(refusal);
      },
    );
  });
}

async function* chunks(...texts: string[]): Bytes & AsyncGenerator<Uint8Array> {
  for (const part of texts) yield* streamOf(Buffer.from(part));
}
