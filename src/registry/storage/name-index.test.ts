import { statSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { NameIndexes } from "./name-index.ts";

const all = { after: undefined, count: 10 };

it("reads a directory once, until a name comes or goes", async () => {
  const { directory, indexes, looked, newTick } = await begin({ laterMs: 60_000 });
  await writeFile(join(directory, "b"), "");
  expect(await indexes.page(directory, all)).toEqual(["b"]);
  looked();
  expect(await indexes.page(directory, { after: "a", count: 1 })).toEqual(["b"]);
  expect(looked()).toEqual([]);

  await newTick();
  await writeFile(join(directory, "a"), "");
  expect(await indexes.page(directory, all)).toEqual(["a", "b"]);

  await newTick();
  await rm(join(directory, "b"));
  expect(await indexes.page(directory, all)).toEqual(["a"]);
});

it.each([
  ["relies on nothing that was changed just now", { isHere: true, laterMs: 50, read: ["a"] }],
  ["relies on it soon where the time is exact", { isHere: true, laterMs: 500, read: [] }],
  ["waits longer where it may not be", { isHere: false, laterMs: 500, read: ["a"] }],
])("%s", async (_, { isHere, laterMs, read }) => {
  const { directory, indexes, looked } = await begin({ isHere, laterMs });
  await writeFile(join(directory, "a"), "");

  await indexes.page(directory, all);
  looked();
  await indexes.page(directory, all);

  expect(looked()).toEqual(read);
});

it("knows nothing of a directory that is gone", async () => {
  const { directory, indexes } = await begin({ laterMs: 60_000 });
  await writeFile(join(directory, "a"), "");
  await indexes.page(directory, all);

  await rm(directory, { recursive: true });

  expect(await indexes.page(directory, all)).toEqual([]);
});

/**
 * It is always `laterMs` after the last change. `looked` tells the names that were read since;
 * `newTick` ends once a change has another time.
 */
async function begin({ isHere = true, laterMs }: { isHere?: boolean; laterMs: number }) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-names-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const names: string[] = [];
  const isListed = (name: string) => names.push(name) > 0;
  const indexes = new NameIndexes(isListed, {
    isHere,
    now: () => (statSync(directory, { throwIfNoEntry: false })?.ctimeMs ?? 0) + laterMs,
  });
  const changedNs = async () => (await stat(directory, { bigint: true })).ctimeNs;
  const newTick = async () => {
    const before = await changedNs();
    while ((await changedNs()) === before) {
      await writeFile(join(directory, "passing"), "");
      await rm(join(directory, "passing"));
    }
  };
  return { directory, indexes, looked: () => names.splice(0), newTick };
}
