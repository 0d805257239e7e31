import { chown, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { cacheContract } from "../cache.contract.ts";
import { openFileCache } from "./file.ts";

cacheContract("file", async () => {
  const directory = await temporaryDirectory();
  return () => openFileCache(directory, { clock: systemClock });
});

it("leaves one file for an entry, and no draft", async ({ signal }) => {
  const directory = await temporaryDirectory();
  const cache = await openFileCache(directory, { clock: systemClock });
  for (const text of ["one", "two", "three"]) {
    await cache.write("k", Buffer.from(text), { ifVersion: "any" }, { signal });
  }

  expect(await readdir(directory)).toEqual(["k@3"]);
});

it("tells how old an entry is that another process has left", async ({ signal }) => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, "k@7"), "left");
  await setAge(join(directory, "k@7"), 90_000);
  const cache = await openFileCache(directory, { clock: systemClock });

  const entry = await cache.read("k", { signal });

  expect(entry).toMatchObject({ version: "7" });
  expect(entry?.ageMs).toBeGreaterThanOrEqual(90_000);
});

it("lets an entry grow old even when the host's clock was set back", async ({ signal }) => {
  const directory = await temporaryDirectory();
  const cache = await openFileCache(directory, {
    clock: { ...systemClock, now: () => new Date(Date.now() - 3_600_000) },
  });
  await cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });

  const first = await cache.read("k", { signal });

  await expect
    .poll(async () => (await cache.read("k", { signal }))?.ageMs)
    .toBeGreaterThan(first?.ageMs ?? 0);
});

it("removes what a killed process and registries of long ago have left", async () => {
  const directory = await temporaryDirectory();
  const names = ["0.tmp", "old@1", "k@1"];
  for (const name of names) await writeFile(join(directory, name), "x");
  await setAge(join(directory, "0.tmp"), 120_000);
  await setAge(join(directory, "old@1"), 31 * 86_400_000);

  await openFileCache(directory, { clock: systemClock });

  expect(await readdir(directory)).toEqual(["k@1"]);
});

it("says which directory it could not use", async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, "in-the-way"), "");

  const result = openFileCache(join(directory, "in-the-way/cache"), { clock: systemClock });

  await expect(result).rejects.toMatchObject({
    name: "CacheError",
    code: "UNAVAILABLE",
    message: expect.stringContaining("in-the-way"),
  });
});

it.runIf(process.getuid?.() === 0)("believes nothing that another user may write", async () => {
  const directory = await temporaryDirectory();
  await chown(directory, 12_345, 12_345);

  await expect(openFileCache(directory, { clock: systemClock })).rejects.toMatchObject({
    name: "CacheError",
    code: "UNAUTHORIZED",
    message: expect.stringContaining("belongs to the user 12345"),
  });
});

async function setAge(path: string, ageMs: number): Promise<void> {
  const then = new Date(Date.now() - ageMs);
  await utimes(path, then, then);
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-cache-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
