import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { makeDirectory } from "./make-directory.ts";

it("makes what is missing above it, and does not mind that it is there", async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, "a/b/c");

  const first = join(directory, "a");
  const made = await Promise.all([makeDirectory(path, 0o700), makeDirectory(path, 0o700)]);
  expect(made).toContain(first);
  expect(await makeDirectory(path)).toBeUndefined();

  expect((await stat(path)).mode & 0o777).toBe(0o700);
});

it("refuses what is in the way", async () => {
  const file = join(await temporaryDirectory(), "file");
  await writeFile(file, "");

  await expect(makeDirectory(file)).rejects.toMatchObject({ code: "EEXIST" });
  await expect(makeDirectory(join(file, "a"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

it.runIf(process.platform === "linux")("comes back from where nothing can be made", async () => {
  await expect(makeDirectory("/proc/a/b")).rejects.toMatchObject({ code: "ENOENT" });
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-directory-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
