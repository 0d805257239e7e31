import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { NameIndexes } from "./name-index.ts";

const all = { after: undefined, count: 10 };

it("reads a directory once, until a name comes or goes", async () => {
  const { directory, indexes, looked, newTick } = await begin({ aheadMs: 60_000 });
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

it("relies on nothing that was changed just now", async () => {
  const { directory, indexes, looked } = await begin({ aheadMs: 0 });
  await writeFile(join(directory, "a"), "");

  await indexes.page(directory, all);
  looked();
  await indexes.page(directory, all);

  expect(looked()).toEqual(["a"]);
});

it("knows nothing of a directory that is gone", async () => {
  const { directory, indexes } = await begin({ aheadMs: 60_000 });
  await writeFile(join(directory, "a"), "");
  await indexes.page(directory, all);

  await rm(directory, { recursive: true });

  expect(await indexes.page(directory, all)).toEqual([]);
});

/** `looked` tells the names that were read since; `newTick` ends once a change has another time. */
async function begin({ aheadMs }: { aheadMs: number }) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-names-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const names: string[] = [];
  const isListed = (name: string) => names.push(name) > 0;
  const indexes = new NameIndexes(isListed, () => Date.now() + aheadMs);
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
