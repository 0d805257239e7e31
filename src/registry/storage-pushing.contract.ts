import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bytes, collect, streamOf } from "../base/bytes.ts";
import type { PlacedStep, StorageDriver, StoragePath } from "./storage-driver.ts";
import { copied, namesOf, textOf } from "./stored-text.fake.ts";

/** What every storage driver must do for those who push. */
export function storagePushingContract(name: string, open: () => Promise<StorageDriver>): void {
  describe(`${name} is pushed to`, () => {
    let storage: StorageDriver;
    beforeEach(async () => {
      storage = await open();
    });
    afterEach(() => storage.close());

    it("appends where the file ends, and nowhere else", async ({ signal }) => {
      await storage.extend("/u/startedat", Buffer.from("now"), { signal });
      expect(await storage.append("/u/data", chunks("one"), { at: 0, signal })).toBe(3);
      expect(await storage.append("/u/data", chunks("two", "three"), { at: 3, signal })).toBe(11);

      for (const at of [0, 3, 12]) {
        await expect(storage.append("/u/data", chunks("x"), { at, signal })).rejects.toMatchObject({
          code: "INVALID_OFFSET",
        });
      }
      expect(await textOf(await storage.read("/u/data", { signal }))).toBe("onetwothree");
    });

    it("appends nothing where no directory is, and takes nothing of the source", async ({
      signal,
    }) => {
      let taken = 0;
      const counted = (async function* () {
        taken++;
        yield Buffer.from("x");
      })();

      const append = storage.append("/gone/data", counted, { at: 0, signal });

      await expect(append).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(taken).toBe(0);
      expect(await namesOf(storage.list("/gone", { signal }))).toEqual([]);
    });

    it("extends a file, and makes what is missing", async ({ signal }) => {
      expect(await storage.extend("/h/deep/v1", Buffer.from("one"), { signal })).toBe(3);
      expect(await storage.extend("/h/deep/v1", Buffer.from("two"), { signal })).toBe(6);
      expect(await storage.extend("/h/empty", new Uint8Array(), { signal })).toBe(0);

      expect(await textOf(await storage.read("/h/deep/v1", { signal }))).toBe("onetwo");
      expect(await storage.stat("/h/empty", { signal })).toMatchObject({ size: 0 });
    });

    it("keeps the bytes of all who extend at once", async ({ signal }) => {
      const letters = [..."abcdefgh"];

      await Promise.all(
        letters.map((letter) => storage.extend("/h/v1", Buffer.from(letter), { signal })),
      );

      expect([...(await textOf(await storage.read("/h/v1", { signal })))].sort()).toEqual(letters);
    });

    it("creates an empty file from an empty stream", async ({ signal }) => {
      await storage.extend("/u/startedat", Buffer.from("now"), { signal });
      expect(await storage.append("/u/data", chunks(), { at: 0, signal })).toBe(0);

      expect(await storage.stat("/u/data", { signal })).toMatchObject({ size: 0 });
      expect(await textOf(await storage.read("/u/data", { signal }))).toBe("");
    });

    it("keeps what came before the source failed", async ({ signal }) => {
      await storage.extend("/u/startedat", Buffer.from("now"), { signal });
      const append = storage.append("/u/data", failing("half"), { at: 0, signal });

      await expect(append).rejects.toThrow("the client went away");
      expect(await textOf(await storage.read("/u/data", { signal }))).toBe("half");
    });

    it("keeps many megabytes byte for byte", async ({ signal }) => {
      await storage.extend("/u/startedat", Buffer.from("now"), { signal });
      const piece = Buffer.alloc(300_001, "0123456789abcdef");
      const pieces = Array.from({ length: 10 }, () => piece);
      await storage.append("/u/data", from(pieces), { at: 0, signal });

      const read = await collect(copied(await storage.read("/u/data", { signal })), 4_000_000);

      expect(read.equals(Buffer.concat(pieces))).toBe(true);
    });

    it("places a file that is elsewhere, over another one too, and one that names it", async ({
      signal,
    }) => {
      await storage.write("/from", Buffer.from("new"), { signal });
      await storage.write("/some/where/data", Buffer.from("old"), { signal });

      const data = { path: "/some/where/data", from: "/from" } as const;
      await storage.place([data, { path: "/link", bytes: Buffer.from("data") }], { signal });

      expect(await storage.stat("/from", { signal })).toBeUndefined();
      expect(await textOf(await storage.read("/some/where/data", { signal }))).toBe("new");
      expect(await textOf(await storage.read("/link", { signal }))).toBe("data");
    });

    it("touches and discards when the files are in place", async ({ signal }) => {
      await storage.write("/u/1/data", Buffer.from("new"), { signal });
      await storage.extend("/u/1/startedat", Buffer.from("now"), { signal });
      const before = (await storage.stat("/u/1/data", { signal }))?.modified.getTime() ?? 0;
      while (Date.now() <= before + 1) await new Promise((resolve) => setImmediate(resolve));

      const sizes = await storage.place([{ path: "/blob/data", from: "/u/1/data" }], {
        touch: ["/blob/data", "/none"],
        discard: "/u/1",
        signal,
      });

      expect(sizes).toEqual([3, undefined]);
      const after = (await storage.stat("/blob/data", { signal }))?.modified.getTime() ?? 0;
      expect(after).toBeGreaterThan(before);
      expect(await namesOf(storage.list("/u", { signal }))).toEqual([]);
    });

    it("places what belongs together before what names it", async ({ signal }) => {
      await storage.write("/held", Buffer.from("held"), { signal });
      const steps = [
        { files: [bytesAt("/data", "one"), bytesAt("/link", "data")], touch: ["/held", "/data"] },
        { files: [], touch: ["/link"] },
        { files: [bytesAt("/tags/v1", "data")], touch: ["/tags/v1", "/none"] },
      ] as const;

      expect(await sizesOf(storage.placeInTurn(steps, { signal }))).toEqual([
        [4, 3],
        [4],
        [4, undefined],
      ]);

      for (const [path, text] of [
        ["/data", "one"],
        ["/link", "data"],
        ["/tags/v1", "data"],
      ] as const) {
        expect(await textOf(await storage.read(path, { signal }))).toBe(text);
      }
    });

    it("leaves out what would name something missing, and what follows that", async ({
      signal,
    }) => {
      await storage.write("/tags/v1", Buffer.from("old"), { signal });
      const steps = [
        { files: [bytesAt("/data", "one")], touch: ["/data", "/gone"] },
        { files: [bytesAt("/tags/v1", "new")], touch: [] },
        { files: [bytesAt("/other/v2", "new")], touch: [] },
      ] as const;

      expect(await sizesOf(storage.placeInTurn(steps, { signal }))).toEqual([[3, undefined]]);

      expect(await textOf(await storage.read("/data", { signal }))).toBe("one");
      expect(await textOf(await storage.read("/tags/v1", { signal }))).toBe("old");
      expect(await namesOf(storage.list("/tags", { signal }))).toEqual(["v1"]);
      expect(await namesOf(storage.list("/other", { signal }))).toEqual([]);
    });

    it("reads in each step what is there then", async ({ signal }) => {
      await storage.write("/tags/v1", Buffer.from("old"), { signal });
      const read = { paths: ["/tags/v1", "/none", "/data"], maximumBytes: 3 } as const;
      const steps = [
        { files: [], touch: [], read },
        { files: [bytesAt("/data", "long"), bytesAt("/tags/v1", "new")], touch: [], read },
      ] as const;

      const placed = await storage.placeInTurn(steps, { signal });

      const texts = placed.map((step) =>
        step.read.map((bytes) => bytes && `${Buffer.from(bytes)}`),
      );
      expect(texts).toEqual([
        ["old", undefined, undefined],
        ["new", undefined, undefined],
      ]);
    });

    it("places nothing when something is missing or empty already", async ({ signal }) => {
      await storage.write("/held", Buffer.from("held"), { signal });
      await storage.write("/empty", new Uint8Array(), { signal });
      const last = { files: [bytesAt("/tags/v1", "new")], touch: [] };

      for (const path of ["/none", "/empty"] as const) {
        const steps = [{ files: [], touch: ["/held", path] }, last] as const;
        const [sizes, ...others] = await sizesOf(storage.placeInTurn(steps, { signal }));
        expect(sizes).toEqual([4, path === "/empty" ? 0 : undefined]);
        expect(others).toEqual([]);
      }
      expect(await namesOf(storage.list("/tags", { signal }))).toEqual([]);
    });

    it("discards nothing when a file could not be placed", async ({ signal }) => {
      await storage.extend("/u/1/startedat", Buffer.from("now"), { signal });

      const files = [{ path: "/blob/data", from: "/u/1/data" }] as const;
      const placing = storage.place(files, { discard: "/u/1", signal });

      await expect(placing).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await namesOf(storage.list("/u", { signal }))).toEqual(["1"]);
    });

    it("places nothing that follows what cannot be placed", async ({ signal }) => {
      const files = [
        { path: "/one", bytes: Buffer.from("x") },
        { path: "/to", from: "/nowhere" },
        { path: "/links/two", bytes: Buffer.from("x") },
      ] as const;

      await expect(storage.place(files, { signal })).rejects.toMatchObject({ code: "NOT_FOUND" });

      expect(await storage.stat("/to", { signal })).toBeUndefined();
      expect(await namesOf(storage.list("/links", { signal }))).toEqual([]);
    });
  });
}

async function sizesOf(placing: Promise<PlacedStep[]>): Promise<(number | undefined)[][]> {
  return (await placing).map(({ sizes }) => sizes);
}

function bytesAt<Path extends StoragePath>(path: Path, text: string) {
  return { path, bytes: Buffer.from(text) };
}

async function* chunks(...texts: string[]): Bytes & AsyncGenerator<Uint8Array> {
  for (const part of texts) yield* streamOf(Buffer.from(part));
}

async function* from(pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

async function* failing(part: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(part);
  throw new Error("the client went away");
}
