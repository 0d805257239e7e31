import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StorageDriver } from "./storage-driver.ts";

/** What every storage driver must do for those who read many names or files at once. */
export function storageReadingContract(name: string, open: () => Promise<StorageDriver>): void {
  describe(`${name} is read in bulk`, () => {
    let storage: StorageDriver;
    beforeEach(async () => {
      storage = await open();
    });
    afterEach(() => storage.close());

    it("tells the names page by page, in the order of their bytes", async ({ signal }) => {
      const all = ["10", "2", "A", "Z", "a", "b-1", "b_1", "v1.0.10", "v1.0.9"];
      for (const name of all.toReversed()) {
        await storage.write(`/t/${name}/link`, Buffer.from(name), { signal });
      }

      const page = (after: string | undefined, count: number) =>
        storage.names("/t", { after, count, signal });
      expect(await page(undefined, 100)).toEqual(all);
      for (const [index, name] of all.entries()) {
        expect(await page(name, 2)).toEqual(all.slice(index + 1, index + 3));
        expect(await page(`${name}!`, 1)).toEqual(all.slice(index + 1, index + 2));
      }
      expect(await page("", 1)).toEqual(["10"]);
      expect(await storage.names("/none", { after: undefined, count: 1, signal })).toEqual([]);
    });

    it("tells of a name that came, and of one that went, at once", async ({ signal }) => {
      const page = () => storage.names("/t", { after: undefined, count: 10, signal });
      for (let round = 0; round < 20; round++) {
        await storage.write("/t/new/link", Buffer.from("x"), { signal });
        expect(await page()).toEqual(["new"]);
        await storage.delete("/t/new", { signal });
        expect(await page()).toEqual([]);
      }
    });

    it("reads many small files, and none that is longer", async ({ signal }) => {
      await storage.write("/a/one", Buffer.from("1"), { signal });
      await storage.write("/a/two", Buffer.from("22"), { signal });
      await storage.write("/a/three", Buffer.from("333"), { signal });

      const paths = ["/a/three", "/a/two", "/none", "/a/one"] as const;
      const read = await storage.readEach(paths, { maximumBytes: 2, signal });

      const texts = read.map((bytes) => bytes && Buffer.from(bytes).toString());
      expect(texts).toEqual([undefined, "22", undefined, "1"]);
    });
  });
}
