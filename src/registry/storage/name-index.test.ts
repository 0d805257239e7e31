import { statSync, writeFileSync } from "node:fs";
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

it("reads a directory once for all who ask meanwhile", async () => {
  const { directory, indexes, looked } = await begin({ laterMs: 60_000 });
  await writeFile(join(directory, "a"), "");

  const pages = await Promise.all([indexes.page(directory, all), indexes.page(directory, all)]);

  expect(pages).toEqual([["a"], ["a"]]);
  expect(looked()).toEqual(["a"]);
});

it("reads it for each who asks where a change might not be told apart", async () => {
  const { directory, indexes, looked } = await begin({ laterMs: 50 });
  await writeFile(join(directory, "a"), "");

  await Promise.all([indexes.page(directory, all), indexes.page(directory, all)]);

  expect(looked()).toEqual(["a", "a"]);
});

it("gives the names of a large directory in their order, whatever the page", async () => {
  const { directory, indexes } = await begin({ laterMs: 60_000 });
  const names = Array.from({ length: 5_000 }, (_, at) => `${at}`.padEnd(100, "x"));
  for (const name of names) writeFileSync(join(directory, name), "");
  const sorted = names.toSorted();

  const [after] = sorted.slice(2_500);
  const pages = [
    await indexes.page(directory, { after: undefined, count: 5_000 }),
    await indexes.page(directory, { after, count: 2 }),
    await indexes.page(directory, { after: sorted.at(-1), count: 2 }),
  ];

  expect(pages).toEqual([sorted, sorted.slice(2_501, 2_503), []]);
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
