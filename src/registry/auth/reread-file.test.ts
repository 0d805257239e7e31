import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { rereadFile } from "./reread-file.ts";

it("reads once for all, until a file changes and a second has gone by", async () => {
  const { path, clock, file, reads } = await stage("one");

  expect(await Promise.all([file.current(), file.current()])).toEqual(["one", "one"]);
  await clock.advance(5_000);
  expect(await file.current()).toBe("one");
  expect(reads()).toBe(1);

  await writeFile(path, "other");
  expect(await file.current()).toBe("one");
  await clock.advance(1_000);

  expect(await Promise.all([file.current(), file.current()])).toEqual(["other", "other"]);
  expect(reads()).toBe(2);
});

it("looks at once where that is asked for", async () => {
  const { path, file, reads } = await stage("one");
  const before = file.current();

  const [first, second] = await Promise.all([file.fresh(), before]);
  await writeFile(path, "other");

  expect([first, second]).toEqual(["one", "one"]);
  expect(await Promise.all([file.fresh(), file.fresh()])).toEqual(["other", "other"]);
  expect(await file.current()).toBe("other");
  expect(reads()).toBe(2);
});

it("fails as long as the file cannot be read, and recovers at once", async () => {
  const { path, clock, file } = await stage("one");
  await file.current();

  await rm(path);
  await clock.advance(1_000);
  await expect(file.current()).rejects.toThrow("ENOENT");
  await expect(file.current()).rejects.toThrow("ENOENT");
  await writeFile(path, "two");

  expect(await file.current()).toBe("two");
});

it("looks again when the clock was set back", async () => {
  const { path, clock, file } = await stage("one");
  await file.current();
  await writeFile(path, "two");

  await clock.advance(-3_600_000);

  expect(await file.current()).toBe("two");
});

async function stage(text: string) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-reread-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "file");
  await writeFile(path, text);
  const clock = new FakeClock();
  let count = 0;
  const read = () => {
    count++;
    return readFile(path, "utf8");
  };
  return { path, clock, file: rereadFile([path], read, clock), reads: () => count };
}
